/**
 * The desk's pages. A page is a Svelte component that is loaded when it is first shown; it is
 * given the parameters of its pattern. To add one: write `pages/.../Page.svelte`, add a line here.
 */
import type { Component } from "svelte";
import type { IconName } from "./components/icons";
import type { Role } from "./lib/session.svelte";

export interface Route {
  pattern: string;
  title: string;
  // Each page has parameters of its own, or none.
  load: () => Promise<{ default: Component<any> }>;
  /** Who may see it; agents if it says nothing. */
  role?: Role;
  /** Seen without being signed in: log-in, invitations, one-time links. */
  open?: boolean;
}

export interface NavItem {
  label: string;
  path: string;
  icon: IconName;
  /** `g` and then this key goes there. */
  key: string;
  role?: Role;
}

export const NAV: NavItem[] = [
  { label: "Inbox", path: "/inbox", icon: "inbox", key: "i" },
  { label: "Search", path: "/search", icon: "search", key: "s" },
  { label: "Knowledge", path: "/knowledge", icon: "book", key: "k" },
  { label: "Insights", path: "/insights", icon: "chart", key: "n" },
  { label: "Administration", path: "/admin", icon: "gear", key: "a", role: "supervisor" },
];

const inbox = () => import("./pages/inbox/Page.svelte");

export const ROUTES: Route[] = [
  { pattern: "/log-in", title: "Log in", load: () => import("./pages/login/Page.svelte"), open: true },
  { pattern: "/link", title: "Log in by a link", load: () => import("./pages/account/Link.svelte"), open: true },
  { pattern: "/invitation", title: "Your invitation", load: () => import("./pages/account/Invitation.svelte"), open: true },
  { pattern: "/inbox", title: "Inbox", load: inbox },
  { pattern: "/inbox/:view", title: "Inbox", load: inbox },
  { pattern: "/inbox/:view/:number", title: "Conversation", load: inbox },
  { pattern: "/search", title: "Search", load: () => import("./pages/search/Page.svelte") },
  { pattern: "/macros", title: "Macros", load: () => import("./pages/macros/Page.svelte") },
  { pattern: "/knowledge", title: "Knowledge", load: () => import("./pages/knowledge/Page.svelte") },
  { pattern: "/knowledge/*", title: "Knowledge", load: () => import("./pages/knowledge/Page.svelte") },
  { pattern: "/insights", title: "Insights", load: () => import("./pages/insights/Page.svelte") },
  { pattern: "/admin", title: "Administration", load: () => import("./pages/admin/Page.svelte"), role: "supervisor" },
  { pattern: "/admin/*", title: "Administration", load: () => import("./pages/admin/Page.svelte"), role: "supervisor" },
  { pattern: "/account", title: "Your account", load: () => import("./pages/account/Page.svelte") },
  { pattern: "/account/*", title: "Your account", load: () => import("./pages/account/Page.svelte") },
];
