"""The web chat: a widget on the company's pages, sessions made by the server, event streams."""
