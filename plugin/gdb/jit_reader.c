/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * muppy.so: the part of muppy inside gdb.
 *
 * gdb takes it for a reader of JIT debug information and asks it about every
 * frame that it unwinds.  muppy.gdb raises the trigger and looks at a frame
 * that does not exist; the call about that frame is where a command runs, on
 * gdb's own thread and with target_read in hand.  Every other frame is passed
 * on at the cost of one system call.
 *
 * Nothing here parses what the debuggee holds; that is the helper's work, in a
 * process of its own.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gdb/jit-reader.h>

#include "plugin/gdb/helper.h"
#include "plugin/gdb/progress.h"
#include "plugin/gdb/response.h"
#include "plugin/gdb/terminal.h"
#include "plugin/protocol.h"

GDB_DECLARE_GPL_COMPATIBLE_READER

/** As in plugin/command.h, which this file must not include. */
enum {
  STATUS_TARGET = 3,
  STATUS_CANCELED = 4
};

/** SIGINT, and those that end gdb. */
enum {
  SIGNAL_COUNT = 3
};

/** How long a helper may take to stop before it is ended. */
enum {
  CANCEL_MILLISECONDS = 3000
};

/** One command.  gdb may leave target_read by a C++ exception; so all of it is
 * undone by exchange_end(), which runs then too (-fexceptions). */
struct exchange {
  gdb_target_read *target_read;
  struct sigaction old_actions[SIGNAL_COUNT];
  int signals; /**< Readable when one came. */
  bool canceled;
  bool finished; /**< The helper waits for the next command. */
  struct progress progress;
  struct terminal terminal;
};

/* How a command ended ------------------------------------------------------- */

static bool write_file(int fd, const char *text, size_t length) {
  return ftruncate(fd, 0) == 0 &&
         pwrite(fd, text, length, 0) == (ssize_t)length;
}

/** Writes what gdb sources.  Where that fails, gdb keeps the status that it had
 * before and fails with a text of its own. */
static void write_failure(int status, const char *reason) {
  char response[4096], output[1024];

  memset(response, 0, sizeof response);
  memset(output, 0, sizeof output);
  FILE *file = fmemopen(response, sizeof response, "w");
  if (file) {
    response_failure(file, status, reason);
    fclose(file);
  }
  file =
      status == STATUS_CANCELED ? fmemopen(output, sizeof output, "w") : NULL;
  if (file) {
    response_canceled(file, reason);
    fclose(file);
  }
  write_file(GDB_FD_OUTPUT, output, strlen(output));
  write_file(GDB_FD_RESPONSE, response, strlen(response));
}

/** Has gdb draw its windows when no helper is left to ask for it. */
static void append_redraw(void) {
  char text[300] = "";
  FILE *file = fmemopen(text, sizeof text, "w");
  off_t end = lseek(GDB_FD_OUTPUT, 0, SEEK_END);

  if (!file || end < 0)
    return;
  response_redraw(file);
  fclose(file);
  if (pwrite(GDB_FD_OUTPUT, text, strlen(text), end) < 0)
    return;
}

static void fail_lost(void) {
  write_failure(STATUS_TARGET, "the helper program ended unexpectedly; the "
                               "next command starts it again");
}

/** The helper's supervisor says how it died. */
static void fail_died(int wait_status) {
  char reason[200];

  if (WIFSIGNALED(wait_status)) {
    const char *name = strsignal(WTERMSIG(wait_status));
    snprintf(reason, sizeof reason,
             "the helper program was ended by signal %d (%s); the next command "
             "starts it again",
             WTERMSIG(wait_status), name ? name : "unknown");
  } else if (WEXITSTATUS(wait_status) == HELPER_NO_MEMORY) {
    snprintf(reason, sizeof reason,
             "out of memory: the helper program got no more; the next command "
             "starts it again");
  } else {
    snprintf(reason, sizeof reason,
             "the helper program ended with status %d; the next command starts "
             "it again",
             WEXITSTATUS(wait_status));
  }
  write_failure(STATUS_TARGET, reason);
}

/* Signals ------------------------------------------------------------------- */

static const int caught_signals[SIGNAL_COUNT] = {SIGINT, SIGTERM, SIGHUP};

/** The exchange that a signal is for.  Any thread of gdb's may get it: some
 * versions block few signals in those that they work with. */
static volatile sig_atomic_t caught_ending;
static volatile int caught_event = -1;

static void on_signal(int number) {
  const uint64_t once = 1;
  int error = errno;

  if (number != SIGINT)
    caught_ending = number;
  if (write(caught_event, &once, sizeof once) < 0)
    return;
  errno = error;
}

/** While a command runs, Ctrl-C comes by descriptor: gdb's own handler would
 * only set a flag that nobody looks at before the command is over. */
static bool exchange_begin(struct exchange *exchange) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

  exchange->signals = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (exchange->signals < 0)
    return false;
  caught_event = exchange->signals;
  caught_ending = 0;
  for (size_t i = 0; i < SIGNAL_COUNT; i++)
    sigaction(caught_signals[i], &action, &exchange->old_actions[i]);
  progress_begin(&exchange->progress);
  terminal_begin(&exchange->terminal);
  return true;
}

static void exchange_end(struct exchange *exchange) {
  if (!exchange->finished)
    helper_stop();
  bool was_lent = terminal_take_back(&exchange->terminal, exchange->finished);
  if (was_lent && !exchange->finished && exchange->terminal.full_screen)
    append_redraw();
  /* On the screen that the line is on. */
  progress_end(&exchange->progress);
  if (exchange->signals < 0)
    return;
  for (size_t i = 0; i < SIGNAL_COUNT; i++)
    sigaction(caught_signals[i], &exchange->old_actions[i], NULL);
  close(exchange->signals);
  if (caught_ending)
    raise(caught_ending);
}

static void take_signals(struct exchange *exchange) {
  uint64_t times;

  if (read(exchange->signals, &times, sizeof times) != sizeof times ||
      exchange->canceled)
    return;
  helper_send(&(struct message){.kind = MESSAGE_CANCEL});
  exchange->canceled = true;
}

/* Messages ------------------------------------------------------------------ */

enum receipt {
  RECEIVED,
  RECEIVED_NOTHING,
  LOST,
};

static enum receipt receive(struct message *message) {
  ssize_t length =
      recv(helper_socket(), message, sizeof *message, MSG_DONTWAIT | MSG_TRUNC);

  if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    return RECEIVED_NOTHING;
  if (length != (ssize_t)sizeof *message)
    return LOST;
  message->text[sizeof message->text - 1] = '\0';
  return RECEIVED;
}

static bool serve_read(struct exchange *exchange,
                       const struct message *message) {
  struct message answer = {.kind = MESSAGE_DATA, .length = message->length};

  if (message->length > WINDOW_BYTES || message->value >= WINDOWS)
    return false;
  answer.value =
      exchange->target_read(message->address, helper_window(message->value),
                            (int)message->length) == GDB_SUCCESS;
  return helper_send(&answer);
}

static bool lend_terminal(struct exchange *exchange,
                          const struct message *message) {
  struct message answer = {.kind = MESSAGE_DATA};
  const char *problem = terminal_lend(&exchange->terminal, message->text);

  if (!problem) {
    answer.value = 1;
    return helper_send_file(&answer, TERMINAL_FD);
  }
  strncpy(answer.text, problem, sizeof answer.text - 1);
  return helper_send(&answer);
}

/** Handles one message.  False when the command is over. */
static bool handle(struct exchange *exchange, const struct message *message) {
  switch (message->kind) {
  case MESSAGE_READ:
    if (serve_read(exchange, message))
      return true;
    fail_lost();
    return false;
  case MESSAGE_TERMINAL:
    if (lend_terminal(exchange, message))
      return true;
    fail_lost();
    return false;
  case MESSAGE_PROGRESS:
    progress_show(&exchange->progress, message->text, message->address,
                  message->length);
    return true;
  case MESSAGE_DONE:
    exchange->finished = true;
    return false;
  case MESSAGE_DIED:
    fail_died((int)message->value);
    return false;
  default:
    write_failure(STATUS_TARGET, "the helper program and muppy.so do not "
                                 "understand each other; start gdb again");
    return false;
  }
}

/** Handles the messages that have come.  False when the command is over. */
static bool take_messages(struct exchange *exchange) {
  struct message message;

  for (;;) {
    switch (receive(&message)) {
    case RECEIVED:
      if (!handle(exchange, &message))
        return false;
      /* A helper that only reads must not keep Ctrl-C from being seen. */
      take_signals(exchange);
      break;
    case RECEIVED_NOTHING:
      return true;
    case LOST:
      fail_lost();
      return false;
    }
  }
}

static int64_t milliseconds(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void talk(struct exchange *exchange) {
  int64_t deadline = 0;

  for (;;) {
    struct pollfd files[] = {
        {.fd = helper_socket(), .events = POLLIN},
        {.fd = exchange->signals, .events = POLLIN},
    };
    int64_t left = deadline ? deadline - milliseconds() : -1;

    if (deadline && left <= 0) {
      write_failure(STATUS_CANCELED, "interrupted; the helper program did not "
                                     "stop and was ended");
      return;
    }
    if (poll(files, 2, (int)left) < 0 && errno != EINTR) {
      fail_lost();
      return;
    }
    take_signals(exchange);
    if (exchange->canceled && !deadline)
      deadline = milliseconds() + CANCEL_MILLISECONDS;
    if (!take_messages(exchange))
      return;
  }
}

/* The command --------------------------------------------------------------- */

/** The first text of the request is the path of the helper. */
static bool read_program(char *path, size_t size) {
  ssize_t length = pread(GDB_FD_REQUEST, path, size, 0);

  if (length < 2 || path[0] != ITEM_TEXT || !memchr(path, '\0', (size_t)length))
    return false;
  memmove(path, path + 1, (size_t)length - 1);
  return true;
}

static void run_command(gdb_target_read *target_read, uint64_t bits) {
  __attribute__((cleanup(exchange_end))) struct exchange exchange = {
      .target_read = target_read, .signals = -1};
  struct message run = {.kind = MESSAGE_RUN,
                        .value = PROTOCOL_VERSION,
                        .address = (uint64_t)getpid(),
                        .length = bits};
  char program[4096];

  if (!read_program(program, sizeof program)) {
    exchange.finished = true;
    write_failure(STATUS_TARGET, "the request got lost");
    return;
  }
  const char *problem = helper_start(program);
  if (!problem && !exchange_begin(&exchange))
    problem = strerror(errno);
  if (problem) {
    write_failure(STATUS_TARGET, problem);
    return;
  }
  if (exchange.terminal.full_screen)
    run.length |= RUN_FULL_SCREEN;
  if (!helper_send(&run)) {
    fail_lost();
    return;
  }
  talk(&exchange);
}

/** The letter with which muppy.gdb raised the trigger, or 0; lowers it. */
static char take_trigger(void) {
  char letter;

  if (pread(GDB_FD_TRIGGER, &letter, 1, 0) != 1 ||
      ftruncate(GDB_FD_TRIGGER, 0) != 0)
    return 0;
  return letter;
}

/* What gdb calls ------------------------------------------------------------ */

static enum gdb_status unwind(struct gdb_reader_funcs *self,
                              struct gdb_unwind_callbacks *callbacks) {
  (void)self;
  char letter = take_trigger();

  switch (letter) {
  case TRIGGER_RUN:
    run_command(callbacks->target_read, 0);
    return GDB_SUCCESS;
  case TRIGGER_TOLD:
    run_command(callbacks->target_read, RUN_TOLD);
    return GDB_SUCCESS;
  case TRIGGER_AGAIN:
    run_command(callbacks->target_read, RUN_AGAIN);
    return GDB_SUCCESS;
  case TRIGGER_QUIT:
    /* gdb's handler notes it and gdb says "Quit" as soon as we return. */
    raise(SIGINT);
    return GDB_SUCCESS;
  default:
    return GDB_FAIL;
  }
}

static struct gdb_frame_id
get_frame_id(struct gdb_reader_funcs *self,
             struct gdb_unwind_callbacks *callbacks) {
  (void)self;
  (void)callbacks;
  return (struct gdb_frame_id){0};
}

static enum gdb_status read_debug_info(struct gdb_reader_funcs *self,
                                       struct gdb_symbol_callbacks *callbacks,
                                       void *memory, long size) {
  (void)self;
  (void)callbacks;
  (void)memory;
  (void)size;
  return GDB_FAIL;
}

static void destroy(struct gdb_reader_funcs *self) {
  (void)self;
  helper_close_descriptors();
}

__attribute__((visibility("default"))) struct gdb_reader_funcs *
gdb_init_reader(void) {
  static struct gdb_reader_funcs functions = {
      .reader_version = GDB_READER_INTERFACE_VERSION,
      .read = read_debug_info,
      .unwind = unwind,
      .get_frame_id = get_frame_id,
      .destroy = destroy,
  };

  /* gdb crashes when NULL is returned; without its files muppy.gdb fails at
   * its first command. */
  const char *problem = helper_open_descriptors();
  if (problem)
    fprintf(stderr, "muppy: %s\n", problem);
  return &functions;
}
