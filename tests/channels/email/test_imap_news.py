"""News of mail may come with the answer to any command; IDLE does not tell it again."""

from __future__ import annotations

import asyncio
import time

from bot.simulation.mail_world import PASSWORD, MailWorld
from channels.email.imap import ImapConnection
from channels.email.logins import Credentials
from channels.email.mailboxes import ServerSetting

LONG_S = 8.0


async def test_mail_that_was_told_of_before_idle_began_is_not_slept_over() -> None:
    async with MailWorld() as world:
        server = ServerSetting(host="127.0.0.1", port=world.imap.port, security="none")
        connection = await asyncio.to_thread(ImapConnection, server)
        credentials = Credentials(world.company, PASSWORD, is_token=False)
        try:
            await asyncio.to_thread(connection.login, credentials)
            await asyncio.to_thread(connection.select, "INBOX")
            assert await asyncio.to_thread(connection.uids_after, 0) == []
            ada = world.customer("ada@example.org")
            uid = await world.post(ada.write(world.company, "Hello?"))
            began = time.monotonic()
            await asyncio.to_thread(connection.wait, LONG_S)  # its first command brings the news
            assert time.monotonic() - began < LONG_S / 2
            assert await asyncio.to_thread(connection.uids_after, 0) == [uid]
        finally:
            await asyncio.to_thread(connection.close)
            connection.release()
