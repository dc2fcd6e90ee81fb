/* SPDX-License-Identifier: ISC */
/*
 * MESSAGE_ID= of each event in the journal: random 128-bit numbers, made once,
 * never changed, never used for another event. By `journalctl MESSAGE_ID=...`.
 * And its PRIORITY=, as in syslog(3): 6 is information, 4 a warning.
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_MESSAGE_IDS_H
#define SOCKWARD_HELPERS_AUDITOR_MESSAGE_IDS_H

/* clang-format off */
#define MESSAGE_IDS(ROW)                                                 \
	ROW("start",          "9132d430c5b74905a76789687ac2010e", "6") \
	ROW("stop",           "2ff2765fcbba40b588ac62efe20e8412", "6") \
	ROW("policy",         "c26ac2854f254e778aeaa035d880f3d5", "6") \
	ROW("session-open",   "0fe2b605996e4caf8fc22548135dd6fe", "6") \
	ROW("authenticated",  "728b07dc4f6041e98d6de06c0fa689f3", "6") \
	ROW("granted",        "0dd19e306c6749d185d12771aa7a29bf", "6") \
	ROW("refused",        "c3b2b3aedffc43beb476a007d9e13ff7", "6") \
	ROW("stream-end",     "b1241fd69e614c57a49735d57585f509", "6") \
	ROW("session-end",    "9a77fbad60d748748c6bc9d8e0470931", "6") \
	ROW("resolved",       "acdad40bd0b946f49ab6755612741a53", "6") \
	ROW("repair",         "091451487d914e4fa2bca267b9f0f676", "6") \
	ROW("scan",           "2b73e88758654f079379ac8bf167890d", "4") \
	ROW("unknown",        "a440a08afc7f4db69f5d48707d7ebebd", "6")
/* clang-format on */

#endif
