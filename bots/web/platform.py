"""Name the web as a platform. Its page has no commands in words."""

from bots.conversing.platform import Platform

WEB = Platform("web")
