"""The second factor: one-time codes of an authenticator (TOTP, RFC 6238) and recovery codes."""

from __future__ import annotations

import secrets
import time

import pyotp
import segno
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from bot.conversations import keyed_hash
from bot.tables import Account, RecoveryCode, now

ISSUER = "Frontdesk"
STEP_SECONDS = 30
# A clock that is half a minute wrong is a clock people have (RFC 6238 section 5.2).
STEPS_AROUND = (0, -1, 1)
RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is mistaken for another
QUIET_ZONE = 4


def begin(account: Account) -> str:
    """A new secret, which counts once a code from it was given back."""
    secret = pyotp.random_base32(32)
    account.totp_secret, account.totp_since, account.totp_step = secret, None, 0
    return secret


def provisioning_uri(account: Account) -> str:
    """What the QR code says: the secret, for whom and by whom."""
    totp = pyotp.TOTP(account.totp_secret)
    return totp.provisioning_uri(name=account.email, issuer_name=ISSUER)


def draw_qr_code(text: str) -> tuple[int, str]:
    """The text as a QR code: its width in units, quiet zone included, and the dark ones' path.

    The page draws the path into an SVG, so that no picture's address ever holds the secret.
    """
    rows = [list(row) for row in segno.make(text, error="m", micro=False).matrix]
    path = "".join(
        f"M{x + QUIET_ZONE} {y + QUIET_ZONE}h1v1h-1z"
        for y, row in enumerate(rows)
        for x, module in enumerate(row)
        if module
    )
    return len(rows) + 2 * QUIET_ZONE, path


def is_on(account: Account) -> bool:
    """True once a code is asked for at each log-in."""
    return account.totp_since is not None


def turn_on(session: Session, account: Account, code: str) -> list[str] | None:
    """Codes are asked for from now on; returns the recovery codes, None if the code is wrong."""
    if not account.totp_sealed or not take_totp(session, account, code):
        return None
    account.totp_since = now()
    return new_recovery_codes(session, account)


def turn_off(session: Session, account: Account) -> None:
    """No codes any more."""
    account.totp_sealed, account.totp_since = None, None
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.id))
    session.flush()


def take_code(session: Session, account: Account, code: str) -> bool:
    """True if it is the authenticator's present code or an unused recovery code; once each."""
    plain = "".join(code.split()).replace("-", "").casefold()
    if plain.isascii() and plain.isdigit() and len(plain) == 6:
        return take_totp(session, account, plain)
    return _take_recovery_code(session, account, plain)


def take_totp(session: Session, account: Account, code: str) -> bool:
    """True if the code belongs to a time step that no code was taken of before."""
    row = session.get_one(Account, account.id, with_for_update=True, populate_existing=True)
    totp = pyotp.TOTP(row.totp_secret)
    current = int(time.time()) // STEP_SECONDS
    for step in (current + offset for offset in STEPS_AROUND):
        if step > row.totp_step and secrets.compare_digest(totp.generate_otp(step), code):
            row.totp_step = step
            session.flush()
            return True
    return False


def new_recovery_codes(session: Session, account: Account) -> list[str]:
    """Ten new codes, seen this once; the ones before are void."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.id))
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(12)) for _ in range(RECOVERY_CODES)]
    session.add_all(
        [
            RecoveryCode(account_id=account.id, code_hash=_hash(session, account, code))
            for code in codes
        ]
    )
    session.flush()
    return [f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in codes]


def recovery_codes_left(session: Session, account: Account) -> int:
    """How many can still be used."""
    query = select(func.count()).select_from(RecoveryCode)
    left = query.where(RecoveryCode.account_id == account.id, RecoveryCode.used_at.is_(None))
    return session.scalar(left) or 0


def _take_recovery_code(session: Session, account: Account, plain: str) -> bool:
    statement = (
        update(RecoveryCode)
        .where(
            RecoveryCode.account_id == account.id,
            RecoveryCode.code_hash == _hash(session, account, plain),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now())
        .returning(RecoveryCode.id)
    )
    return session.scalar(statement) is not None


def _hash(session: Session, account: Account, code: str) -> bytes:
    return keyed_hash(session, "recovery-code", f"{account.id}|{code}")
