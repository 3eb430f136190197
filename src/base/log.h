/* SPDX-License-Identifier: MIT */
/* log.h - messages for people, and debug traces by part
 *
 * One line is one write(2) to descriptor 2, "uhmmd: text\n"; no lock, no
 * stream, no memory allocated, so that the preload library may use it inside
 * another program. A line longer than UHMM_LOG_LINE_MAX is cut.
 * UHMM_DEBUG=fault,migrate (or "all") turns parts on; it is read once, by
 * uhmm_log_init(). What is off costs one branch.
 *
 * Errors: none; a message that cannot be written is lost. errno is left as it
 *         was.
 */
#ifndef UHMM_BASE_LOG_H
#define UHMM_BASE_LOG_H

/** Longest line, with its newline. */
#define UHMM_LOG_LINE_MAX 512

/** What UHMM_DEBUG can name. */
enum uhmm_log_part {
	UHMM_LOG_HOOKS,
	UHMM_LOG_WIRE,
	UHMM_LOG_FAULT,
	UHMM_LOG_MIGRATE,
	UHMM_LOG_LOOP,
	UHMM_LOG_SESSION,
	UHMM_LOG_ENGINE,
	UHMM_LOG_DEVICE,
	UHMM_NR_LOG_PARTS
};

/** What is written: this and everything before it. */
enum uhmm_log_level {
	UHMM_LOG_ERR,
	UHMM_LOG_WARN,		/* the default */
	UHMM_LOG_INFO,
};

/** Bit 1 << part: that part is traced. Written by uhmm_log_init() only. */
extern unsigned int uhmm_log_parts;

/**
 * uhmm_log_init() - set the prefix and read UHMM_DEBUG
 * @who: "uhmm" or "uhmmd"; must live on. Before the call it is "uhmm" and no
 *       part is traced.
 */
void uhmm_log_init(const char *who);

/** uhmm_log_set_level() - write messages up to @level */
void uhmm_log_set_level(enum uhmm_log_level level);

/**
 * uhmm_log_parse_parts() - bits of a list as UHMM_DEBUG has it
 * Unknown names are ignored.
 */
unsigned int uhmm_log_parse_parts(const char *list);

/** uhmm_log_part_name() - "fault" of UHMM_LOG_FAULT */
const char *uhmm_log_part_name(enum uhmm_log_part part);

#define UHMM_LOG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

void uhmm_err(const char *fmt, ...) UHMM_LOG_PRINTF(1, 2);
void uhmm_warn(const char *fmt, ...) UHMM_LOG_PRINTF(1, 2);
void uhmm_info(const char *fmt, ...) UHMM_LOG_PRINTF(1, 2);

/* The same with ": what the error is" after it; @err is errno or -errno. */
void uhmm_err_errno(int err, const char *fmt, ...) UHMM_LOG_PRINTF(2, 3);
void uhmm_warn_errno(int err, const char *fmt, ...) UHMM_LOG_PRINTF(2, 3);
void uhmm_info_errno(int err, const char *fmt, ...) UHMM_LOG_PRINTF(2, 3);

/* Behind the macros below. */
void uhmm_log_dbg(enum uhmm_log_part part, const char *fmt, ...)
	UHMM_LOG_PRINTF(2, 3);
void uhmm_log_dbg_errno(enum uhmm_log_part part, int err, const char *fmt, ...)
	UHMM_LOG_PRINTF(3, 4);

/** uhmm_log_on() - is @part traced? For what is costly to compute. */
#define uhmm_log_on(part) \
	__builtin_expect((uhmm_log_parts & (1u << (part))) != 0, 0)

/** uhmm_dbg() - "uhmmd: fault: event key=value ..." if @part is traced */
#define uhmm_dbg(part, ...) \
	do { \
		if (uhmm_log_on(part)) \
			uhmm_log_dbg((part), __VA_ARGS__); \
	} while (0)

#define uhmm_dbg_errno(part, err, ...) \
	do { \
		if (uhmm_log_on(part)) \
			uhmm_log_dbg_errno((part), (err), __VA_ARGS__); \
	} while (0)

#endif
