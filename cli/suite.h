/* SPDX-License-Identifier: ISC */
/*
 * `sockward run`: the whole suite in the foreground. It does what systemd does
 * with units/: makes the listening sockets, starts each program with its own
 * descriptors, uid and namespace, waits until it says READY=1, starts it again
 * when it dies, and ends all of it in order. The programs cannot tell the two
 * apart: there is one start-up path.
 */
#ifndef SOCKWARD_CLI_SUITE_H
#define SOCKWARD_CLI_SUITE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "cli/policy_files.h"

#define SUITE_LISTENS  16
#define SUITE_DIR      88    /* longest runtime directory: sun_path holds it and a name */
#define READY_MS       10000 /* a program says READY=1 within this long */
#define RESTART_MS     100   /* back-off before a program that died is started again */
#define RESTART_MOST   5     /* more deaths than this ... */
#define RESTART_WINDOW 10000 /* ... in this long end the suite */
#define DRAIN_MS       10000 /* sessions have this long to end */
#define STOP_MS        5000  /* a program has this long from SIGTERM to SIGKILL */
#define HURRY_MS       200   /* the same after a second signal */

/* In the order of their start. They are ended in the other direction. */
enum role {
	ROLE_AUDITOR,
	ROLE_RESOLVER,
	ROLE_AUTHENTICATOR,
	ROLE_BROKER,
	ROLE_LISTENER,
	ROLE_COUNT
};

/* The suite's own listening sockets, all SOCK_SEQPACKET in the runtime directory. */
enum door {
	DOOR_CONTROL, /* first: whether it answers tells if another suite is there */
	DOOR_BROKER,
	DOOR_RESOLVER,
	DOOR_AUTHENTICATOR,
	DOOR_AUDITOR,
	DOOR_STATUS,  /* the listener's, for the status alone */
	DOOR_METRICS, /* the auditor's */
	DOOR_COUNT
};

enum program_state {
	PROGRAM_DOWN,
	PROGRAM_WAITING,  /* starts at due_ms */
	PROGRAM_STARTING, /* must be ready by due_ms */
	PROGRAM_UP,
	PROGRAM_STOPPING, /* was told to end */
};

struct program {
	enum role role;
	enum program_state state;
	int exe; /* the program file, opened by the starting user */
	uid_t uid;
	pid_t pid;
	int pidfd; /* -1 when it does not run */
	uint64_t due_ms;
	uint64_t deaths[RESTART_MOST + 1]; /* times of the latest, a ring */
	unsigned int died;
	bool restart; /* start it again as soon as it has stopped */
};

struct listen_at {
	struct sockaddr_storage addr; /* as bound, once @fd is open */
	socklen_t length;
	int fd;
};

struct suite {
	/* what was asked for */
	const char *policy_path;
	const char *audit_path; /* NULL: in the runtime directory */
	const char *asked_dir;  /* NULL: a new one */
	const char *worker_path;
	const char *spawn;
	const char *asked_trust; /* NULL: the listener's own */
	struct listen_at listens[SUITE_LISTENS];
	size_t listen_count;

	/* what was made */
	char *trust; /* asked_trust, from the root; NULL: none was asked for */
	char dir[SUITE_DIR];
	bool dir_made;
	bool audit_made; /* inside a directory that goes away again */
	int doors[DOOR_COUNT];
	int notify[ROLE_COUNT]; /* where each says READY=1 */
	int signals;
	int null;
	int audit;
	int worker;
	struct policy_files policy;
	int image;      /* the way of the broker to policy.image, for reading only */
	int text;       /* the way of the authenticator to policy.text */
	int keys;       /* and to policy.keys */
	bool as_root;   /* the programs get uids of their own */
	int uid_lock;   /* keeps other suites from the same uids */
	bool sync;      /* the policy wants each record synced before its descriptor leaves */
	bool empty_net; /* the listener gets an empty network namespace */
	struct program programs[ROLE_COUNT];

	/* what is going on */
	bool serving; /* all were ready once */
	bool failed;  /* a program cannot be kept up */
	bool drained; /* the listener ended in order: nothing can come in */
	bool ending;  /* nothing new comes in: the listener is not started again */
	bool reload;  /* SIGHUP came */
	unsigned int signals_to_end;
};

/**
 * suite_notify_name() - the name of the socket that a program says READY=1 to.
 */
const char *suite_notify_name(enum role role);

/**
 * suite_door_name() - a listening socket's name, as in LISTEN_FDNAMES.
 */
const char *suite_door_name(enum door door);

/**
 * program_name() - a program's name, such as "sockward-broker".
 */
const char *program_name(enum role role);

/**
 * now_ms() - CLOCK_MONOTONIC in milliseconds.
 */
uint64_t now_ms(void);

/* --- place.c ------------------------------------------------------------------ */

/**
 * place_make() - make the runtime directory and all sockets in it.
 *
 * As root the directory is 0711 and each socket belongs to the program that
 * connects or sends to it; the uids must have been chosen. Returns 0, or -1 after
 * fail(); what was made by then is removed by place_remove().
 */
int place_make(struct suite *suite);

/**
 * place_listen() - open the TCP sockets that were asked for.
 *
 * Writes the address as bound (port 0 is replaced) to each. Returns 0 or -1.
 */
int place_listen(struct suite *suite);

/**
 * place_audit() - open the audit file. Returns 0 or -1.
 */
int place_audit(struct suite *suite);

/**
 * place_remove() - remove what place_make() made, never a file that was named.
 */
void place_remove(struct suite *suite);

/* --- layers.c ----------------------------------------------------------------- */

/**
 * layers_choose() - find out which uids and namespaces this start can have.
 *
 * As root, five unused uids out of 61184..65519 (systemd's range for dynamic
 * users). Returns 0, or -1 after fail().
 */
int layers_choose(struct suite *suite);

/**
 * layers_say() - one line on standard error: what is on, what is missing, why.
 */
void layers_say(const struct suite *suite);

/**
 * layers_apply() - in a child: namespace, uid, death signal.
 * @parent: the pid of the process that forked.
 *
 * Returns 0, or -1 after fail(); the child must end then.
 */
int layers_apply(const struct suite *suite, const struct program *program, pid_t parent);

/* --- program.c ---------------------------------------------------------------- */

/**
 * programs_find() - open the six program files beside this one.
 *
 * Looks in the build tree first, then where they are installed. Returns 0 or -1.
 */
int programs_find(struct suite *suite);

/**
 * program_start() - start a program; its state becomes STARTING.
 *
 * Returns 0, or -1 after fail() when there is no process for it.
 */
int program_start(struct suite *suite, struct program *program);

/**
 * program_signal() - send a signal to a program that runs, by its pidfd.
 */
void program_signal(const struct program *program, int signal);

/* --- supervise.c -------------------------------------------------------------- */

/**
 * suite_step() - wait for one thing that happens, and deal with it.
 * @until_ms: return at this time at the latest.
 */
void suite_step(struct suite *suite, uint64_t until_ms);

/**
 * suite_start() - start all programs, one after the other.
 *
 * Returns 0, or -1 when one did not become ready or a signal ended the wait.
 */
int suite_start(struct suite *suite);

/**
 * suite_serve() - supervise until a signal, a drained listener or a failure.
 */
void suite_serve(struct suite *suite);

/* --- reload.c ----------------------------------------------------------------- */

/**
 * policy_open() - open the policy for the programs, each its part, and see what
 * the auditor must know of it.
 *
 * Returns 0, or -1 after fail().
 */
int policy_open(struct suite *suite);

/**
 * suite_reload() - put the policy file's present text into force, if it is valid.
 *
 * The broker is told by SIGHUP and reads its descriptor 0 again; the
 * authenticator is started again with the new text, and with its keys as they are
 * now. A bad file, or a bad key, changes nothing.
 */
void suite_reload(struct suite *suite);

/* --- finish.c ----------------------------------------------------------------- */

/**
 * suite_settle() - wait until the programs have found each other.
 *
 * Each is ready when it can be connected to; the suite is when a session gets
 * through. Waits for at most 2 s: a program that is amiss is then seen in status.
 */
void suite_settle(struct suite *suite);

/**
 * suite_drain() - let sessions end by themselves, for at most DRAIN_MS.
 */
void suite_drain(struct suite *suite);

/**
 * suite_stop() - end all programs: the listener first, the auditor last.
 */
void suite_stop(struct suite *suite);

#endif
