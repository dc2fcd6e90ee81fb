PARSE_SOURCES = \
	worker/proxy.c worker/proxy.h \
	worker/http.c worker/http.h \
	worker/upgrade.c \
	worker/accept.c worker/accept.h \
	worker/target.c worker/target.h \
	worker/token.c worker/token.h \
	worker/name.c worker/name.h \
	worker/base64.c worker/base64.h \
	worker/json.c worker/json.h \
	worker/json_scan.c worker/json_scan.h \
	worker/json_write.c \
	worker/utf8.c worker/utf8.h
worker_libworker_a_SOURCES += $(PARSE_SOURCES)
