"""The tables. Text of customers stands in sealed columns only (`bot.sealing`)."""

from bot.tables.answers import AnswerRun
from bot.tables.articles import EMBEDDING_DIMENSION, Article, Collection, InboxCollection, Passage
from bot.tables.base import Base, new_id, now
from bot.tables.contacts import Contact, ContactIdentity, VisitorSession
from bot.tables.conversations import Attachment, Conversation, Event, Message, Original
from bot.tables.copilot import ArticleDraft, CopilotFeedback, CopilotRun, SettledQuestion
from bot.tables.delivery import (
    AutomaticReply,
    Delivery,
    ForgottenMail,
    MailboxWatermark,
    RemoteFile,
)
from bot.tables.desk import ContactTerms, ConversationTag, Macro, Mention, MessageTerms, Tag
from bot.tables.feedback import Feedback
from bot.tables.inboxes import ApiToken, Inbox
from bot.tables.insights import Tally, TallyMark
from bot.tables.staff import (
    ROLES,
    Account,
    Agent,
    AgentIdentity,
    AuditEntry,
    AuditHead,
    Invitation,
    LetterState,
    LogInAttempt,
    LogInLink,
    RecoveryCode,
    Role,
    StaffLetter,
    StaffSession,
)
from bot.tables.vault import MASTER_KEYS_LOCK, DataKey, VaultKeys

__all__ = [
    "EMBEDDING_DIMENSION",
    "MASTER_KEYS_LOCK",
    "ROLES",
    "Account",
    "Agent",
    "AgentIdentity",
    "AnswerRun",
    "ApiToken",
    "Article",
    "ArticleDraft",
    "Attachment",
    "AuditEntry",
    "AuditHead",
    "AutomaticReply",
    "Base",
    "Collection",
    "Contact",
    "ContactIdentity",
    "ContactTerms",
    "Conversation",
    "ConversationTag",
    "CopilotFeedback",
    "CopilotRun",
    "DataKey",
    "Delivery",
    "Event",
    "Feedback",
    "ForgottenMail",
    "Inbox",
    "InboxCollection",
    "Invitation",
    "LetterState",
    "LogInAttempt",
    "LogInLink",
    "Macro",
    "MailboxWatermark",
    "Mention",
    "Message",
    "MessageTerms",
    "Original",
    "Passage",
    "RecoveryCode",
    "RemoteFile",
    "Role",
    "SettledQuestion",
    "StaffLetter",
    "StaffSession",
    "Tag",
    "Tally",
    "TallyMark",
    "VaultKeys",
    "VisitorSession",
    "new_id",
    "now",
]
