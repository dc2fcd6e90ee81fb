/* SPDX-License-Identifier: ISC */
/*
 * The listener: accepts, opens a session at the broker, has a worker forked,
 * reaps it and tells how it ended. It never reads a byte of a client and links
 * no parser. Its network namespace is empty; accepted sockets still work there.
 *
 * A session's pair: CLIENT with the accepted socket is put into the broker's end,
 * so that it waits in the worker's; then the broker's end goes to the broker with
 * SESSION_OPEN, and the worker's to the template with SPAWN.
 */
#ifndef SOCKWARD_LISTENER_LISTENER_H
#define SOCKWARD_LISTENER_LISTENER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "ipc/channel.h"
#include "ipc/words.h"
#include "listener/health.h"

#define container_of(member, type, field) ((type *)(void *)((char *)(member)-offsetof(type, field)))

#define DOORS_MOST    16
#define CONTROLS_MOST 8
#define WATCHERS_MOST 4 /* that ask for the status alone; a further one takes a place */
#define SESSIONS_MOST 8192
#define SOURCES_MOST  16384 /* a power of two, at least twice the sessions */
#define GRACE_MS      1000  /* for a worker whose broker let it go */

/* A template is executed anew after a crash of a worker, and after either of: */
#define TEMPLATE_SESSIONS 1000
#define TEMPLATE_MS       600000
#define RENEW_MS          1000  /* after crashes, it is at most this often */
#define OWED_MS           10000 /* the one before has this long for the pidfds it owes */

#define REPORT_MS 200 /* until a broker that did not read is told again */

#define BUSY_LOOK_MS 1000 /* between two looks at a worker's CPU clock, at least */
#define BUSY_TURN_MS 250  /* between two turns of looks, at least */
#define BUSY_LOOKS   64   /* of a turn, at most */
#define BUSY_CPU     1024 /* what a share is counted in: all of one CPU */

/* Something in epoll. */
struct source {
	int fd; /* -1: none */
	void (*ready)(struct source *source);
};

enum worker_state {
	WORKER_FREE,
	WORKER_ASKED,   /* the template was asked for it */
	WORKER_RUNNING, /* its pidfd is here */
	WORKER_ENDED,   /* the broker is to be told */
};

struct session {
	struct source source;       /* the worker's pidfd */
	TAILQ_ENTRY(session) next;  /* of one of the lists below */
	TAILQ_ENTRY(session) asked; /* of a template's */
	TAILQ_HEAD(sessions, session) * list;
	enum worker_state state;
	uint64_t id;
	uint64_t accepted_ms;
	uint64_t accepted_us; /* for the latency alone */
	uint64_t due_ms;      /* in deadlines or leaving: when it is killed */
	enum reason reason;   /* why we end it, or NONE */
	bool granted;
	bool behind;        /* busy.c put the worker behind the others, for its life */
	uint32_t share;     /* of a CPU: a running mean, in 1/BUSY_CPU */
	uint64_t looked_ms; /* at its CPU clock; at first, when it was accepted */
	uint64_t used_us;   /* what that clock said */
	uint32_t pid;
	struct ipc_addr client;
	struct ipc_session_end end;
	char grant[IPC_GRANT];
	char subject[IPC_SUBJECT];
};

/* The process that workers are forked from. */
struct template
{
	struct source source; /* the spawn channel */
	int pidfd;
	uint64_t since_ms;
	uint32_t spawned;
	TAILQ_HEAD(, session) asked;
};

struct control {
	struct source source;
	bool watches;   /* it may ask for the status, and nothing else */
	uint64_t heard; /* when it was last, as listener.asked */
};

/* What workers in front took, of one look at each: those that busy.c left where they are. */
struct busy_round {
	uint32_t sum;  /* of their shares, in 1/BUSY_CPU */
	uint32_t most; /* the largest share of one */
	uint32_t cpus; /* that there were for them */
};

struct busy {
	uint64_t next_ms; /* no look before this */
	uint64_t since_ms;
	struct busy_round round; /* since then; its cpus are not known yet */
	struct busy_round last;  /* the one before; 0: there is none yet */
	bool failed;             /* logged already */
};

/* How many sessions an address has; key 0: free. */
struct count_of_source {
	uint64_t key;
	uint32_t sessions;
};

struct listener {
	int epoll;
	uint64_t now; /* ms */
	uint64_t started;
	uint64_t stop_ms;  /* stopping: no longer than until then */
	bool begun;        /* all that a session needs was up once */
	uint64_t alive_ms; /* when a service manager that watches hears again */
	bool watched;
	bool is_alone; /* there is one connection, and no door */
	int alone;     /* that connection, until its session begins; then -1 */
	struct sockaddr_storage alone_from;
	uint64_t retry_ms;
	bool stopping;
	bool draining;
	bool paused;       /* the doors are out of epoll */
	bool by_exec;      /* --spawn=exec */
	int worker;        /* the worker's executable */
	const char *trust; /* the trust store, which workers read */
	int null;
	int reserve; /* given up for a moment when descriptors run out */
	sigset_t inherited;
	struct source signals;
	struct source doors[DOORS_MOST];
	size_t ndoors;
	struct source control_door;
	struct control controls[CONTROLS_MOST];
	struct source status_door;
	struct control watchers[WATCHERS_MOST];
	uint64_t asked; /* questions and clients at both, so far */
	struct source broker;
	enum ipc_state broker_state;
	struct ipc_hello_ok hello;
	struct template templates[2]; /* one is in use, one may still owe pidfds */
	unsigned int current;
	bool suspect; /* a worker crashed: the present layout may be known */
	struct busy busy;

	struct session sessions[SESSIONS_MOST];
	struct sessions free;
	struct sessions deadlines; /* running, not granted, the first due first */
	struct sessions running;   /* without a deadline of ours */
	struct sessions leaving;   /* let go by the broker, oldest first */
	struct sessions ended;     /* the broker is not told yet */
	uint32_t used;
	uint64_t next_id;
	uint64_t source_salt;
	struct count_of_source sources[SOURCES_MOST];

	uint64_t sessions_total;
	uint64_t shed_total;
	uint32_t crashed;
	struct health health;
};

extern struct listener listener;

/* main.c */

/**
 * source_open() - serve a descriptor from now on. @fd: taken over.
 * Returns 0, or -1 (logged, @fd closed).
 */
int source_open(struct source *source, int fd, void (*ready)(struct source *));

/**
 * source_add() - as source_open(), but on failure @fd stays the caller's.
 */
int source_add(struct source *source, int fd, void (*ready)(struct source *));

/**
 * source_close() - close and forget; nothing happens when it is closed already.
 */
void source_close(struct source *source);

/* doors.c */

/**
 * door_take() - begin a session for a connection, if its source may have one more.
 * @fd: taken over. @from: its other end.
 */
void door_take(int fd, const struct sockaddr_storage *from);

/**
 * doors_begun() - may sessions begin? At first all that they need must be up, or have
 * had time to.
 */
bool doors_begun(void);

/* alone.c: where systemd accepts, and there is a listener for each connection */

/**
 * alone_take() - this listener is for one connection, which was passed.
 * @fd: a connected stream socket; taken over. Ends the program on failure.
 */
void alone_take(int fd);

/**
 * alone_over() - begin its session when that can be, and tell whether all is done.
 *
 * Returns false for ever where clients come in by doors.
 */
bool alone_over(void);

/**
 * doors_adjust() - serve the doors while there is a broker and room, else pause them.
 */
void doors_adjust(void);

/**
 * door_ready() - accept until there is nobody left to accept.
 */
void door_ready(struct source *door);

/**
 * reserve_restore() - hold the reserve descriptor again, where it was given up.
 */
void reserve_restore(void);

/**
 * is_listed_proxy() - does the policy in force list this peer as a front proxy?
 * @client: family 0: it came by a Unix socket.
 */
bool is_listed_proxy(const struct ipc_addr *client);

/**
 * source_leave() - one session less of this address; of a listed proxy none was counted.
 */
void source_leave(const struct ipc_addr *client);

/* session.c */

/**
 * session_begin() - a client was accepted. @client: taken over.
 * @from: who it is; as a listed proxy, which is so for as long as the session is.
 *
 * Without descriptors or processes left, the client is closed and the loss counted.
 */
void session_begin(int client, const struct ipc_addr *from);

/**
 * session_move() - put a session into a list (the end of it), out of the one it is in.
 */
void session_move(struct session *session, struct sessions *list);

/**
 * session_watch() - the worker runs. @pidfd: taken over.
 *
 * One that cannot be watched is killed and reaped, and the broker is told.
 */
void session_watch(struct session *session, int pidfd, uint32_t pid);

/**
 * session_kill() - end the worker now, for @reason.
 */
void session_kill(struct session *session, enum reason reason);

/**
 * session_failed() - there never was a worker: tell the broker.
 */
void session_failed(struct session *session);

/**
 * session_find() - the session of that id, or NULL.
 */
struct session *session_find(uint64_t id);

/**
 * sessions_due() - kill those whose time is over. Returns ms until the next one is, or -1.
 */
int sessions_due(void);

/**
 * sessions_report() - tell the broker of workers that ended.
 */
void sessions_report(void);

/* spawn.c */

/**
 * spawn_worker() - have a worker for this session.
 * @channel: the worker's end of the pair; stays the caller's.
 *
 * Returns 0, or -1. By template, the pidfd comes later; by exec, it is there at once.
 */
int spawn_worker(struct session *session, int channel);

/**
 * spawn_renew() - execute a new template; the present one delivers what it owes.
 */
void spawn_renew(void);

/**
 * spawn_owed() - is there a session whose worker was asked for and has not come?
 */
bool spawn_owed(void);

/**
 * spawn_suspect() - a worker crashed: the layout of the present template may be known.
 *
 * A new one is executed with the next session, once the present one is RENEW_MS old
 * and the one before owes nothing: whoever makes workers crash is not to choose how
 * often a program is executed.
 */
void spawn_suspect(void);

/* busy.c: no session is to wait long for a CPU because others do not sleep. */

/**
 * busy_mean() - a worker's share of a CPU, with one look more; a look counts a quarter, so
 * that who sleeps between the looks gains nothing.
 * @mean: what it was, in 1/BUSY_CPU. @used_us: CPU time since the look before, which was
 * @passed_ms ago. More than one CPU counts as one; a time of 0 as nothing used.
 *
 * Returns the new mean, BUSY_CPU at most.
 */
uint32_t busy_mean(uint32_t mean, uint64_t used_us, uint64_t passed_ms);

/**
 * busy_limit() - the mean above which a worker is busy, in 1/BUSY_CPU.
 * @round: what the workers in front took.
 *
 * Half a CPU. But while they take together more than half of all CPUs, it is half of what
 * the busiest of them takes, and 1/64 of a CPU at least: else many could share the CPUs in
 * parts that are small enough.
 */
uint32_t busy_limit(const struct busy_round *round);

/**
 * busy_due() - look at the next workers of granted sessions; those that are busy get
 * SCHED_IDLE (sched(7)), for their life: it takes a privilege to leave that again.
 *
 * A pid is safe here: a worker is the listener's own child and is reaped with the change of
 * its session's state, so that until then the number is nobody else's. Where the kernel, or
 * a filter of the service manager, refuses it, that is logged once, and nothing else happens.
 *
 * Returns ms until the next look is due, or -1 when no session is granted.
 */
int busy_due(void);

/* broker.c */

/**
 * broker_keep() - connect to the broker when it is not there, five times a second at most.
 */
void broker_keep(void);

/**
 * broker_post() - send to the broker. @pass: a descriptor, or -1. Returns 0 or -1.
 */
int broker_post(const void *message, size_t length, int pass);

/* control.c */

/**
 * control_door_ready() - accept a person's command.
 */
void control_door_ready(struct source *door);

/**
 * status_door_ready() - accept somebody who may ask for the status alone.
 *
 * Such a client takes no place of a person's, and when all of its own are taken, that
 * of the one that was silent for longest.
 */
void status_door_ready(struct source *door);

#endif
