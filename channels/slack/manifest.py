"""The Slack app that Frontdesk needs, as a manifest that Slack makes it from."""

from __future__ import annotations

from typing import Any

EVENTS_PATH, INTERACTIVITY_PATH = "/slack/events", "/slack/interactivity"
# What each scope is for; the app asks for nothing else.
SCOPES = {
    "app_mentions:read": "hear who names the bot",
    "channels:history": "read its threads in public channels, and find its own posts again",
    "channels:read": "see whether it is in the staff's channel",
    "chat:write": "answer",
    "files:read": "fetch what customers send",
    "files:write": "send files",
    "groups:history": "the same in private channels",
    "groups:read": "the same in private channels",
    "im:history": "direct messages",
    "mpim:history": "group messages",
    "users:read": "people's names",
}
EVENTS = ("app_mention", "message.channels", "message.groups", "message.im", "message.mpim")


def manifest(public_url: str, name: str) -> dict[str, Any]:
    """The manifest of an app whose requests go to `public_url`; see Slack, "App manifests"."""
    return {
        "display_information": {
            "name": name,
            "description": "Answers customers, and hands over to people.",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": name, "always_online": True},
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {
                "request_url": f"{public_url}{EVENTS_PATH}",
                "bot_events": list(EVENTS),
            },
            "interactivity": {
                "is_enabled": True,
                "request_url": f"{public_url}{INTERACTIVITY_PATH}",
            },
            "org_deploy_enabled": False,
            "socket_mode_enabled": False,
            "token_rotation_enabled": False,
        },
    }
