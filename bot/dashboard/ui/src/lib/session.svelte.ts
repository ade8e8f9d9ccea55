/** Who is signed in, as `GET /desk/api/me` says. */
import { ApiError, get, useCsrf, whenSignedOut } from "./api";

export type Role = "agent" | "supervisor" | "admin";
export interface Me {
  agent_id: string;
  name: string;
  role: Role;
  csrf: string;
}

const RANK: Record<Role, number> = { agent: 0, supervisor: 1, admin: 2 };

export const session = $state<{ me: Me | null; state: "asking" | "known" | "away" }>({
  me: null,
  state: "asking",
});

/** Asks the server; afterwards `session.me` is the person, or null for nobody. */
export async function askWhoIsHere(): Promise<void> {
  try {
    const me = await get<Me | null>("/me");
    if (me) useCsrf(me.csrf);
    session.me = me;
    session.state = "known";
  } catch (error) {
    session.me = null;
    session.state = error instanceof ApiError && error.status < 500 ? "known" : "away";
  }
}

/** Whether the person's role is at least this one. */
export function mayAct(role: Role): boolean {
  return session.me !== null && RANK[session.me.role] >= RANK[role];
}

whenSignedOut(() => {
  session.me = null;
});
