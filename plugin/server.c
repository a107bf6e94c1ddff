/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * Two processes: a supervisor, and the one that works.  The one that works
 * reads what a debuggee holds and may crash on it; the supervisor then tells
 * gdb how it ended.  The supervisor also ends it when gdb goes away or gives
 * it up, whatever it is doing.
 */
#include "config.h"

#include "plugin/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugin/debuggee.h"
#include "plugin/file_text.h"
#include "plugin/gdb/response.h"
#include "plugin/protocol.h"
#include "plugin/regions.h"
#include "plugin/request.h"
#include "plugin/session.h"

enum {
  PROGRESS_MILLISECONDS = 100,
  END_MILLISECONDS = 500, /**< For a worker to leave the screen in. */
  TEST_SECONDS = 60,
  VALUE_LIMIT = 16,  /**< Expressions in one command. */
  ADDRESS_BITS = 47, /**< Of what a process may have. */
  LINE_LIMIT = 5000, /**< Of an answer: gdb prints slowly. */
};

/** What gdb was asked for before it runs the request again. */
enum question {
  QUESTION_NONE, /**< It is run for the first time. */
  QUESTION_FILES,
  QUESTION_VALUE,
  QUESTION_REGIONS,
};

struct server {
  int socket;
  struct session *session;
  /** What is debugged, in short, as of the last "info files"; NULL where that was
   * not told. */
  char *brief;
  char *asked_brief; /**< The same when it was asked for. */
  struct debuggee debuggee;
  struct regions regions; /**< While gdb must read the debuggee for us. */
  const uint8_t *windows;
  /** What gdb is to read next, and what it was asked for already: LENGTH 0:
   * nothing. */
  struct reading {
    uint64_t address;
    size_t length;
    uint32_t window;
    bool answered, done; /**< The answer came while nobody waited for it. */
  } expected, asked_ahead;
  struct pyheap_reader reader;
  struct pyheap_progress progress;
  enum question asked;
  uint64_t values[VALUE_LIMIT]; /**< Of the expressions, in order. */
  size_t value_count;
  bool canceled;
  struct timespec last_progress;
  struct command_terminal terminal;
  bool told;        /**< "info files" is of this command. */
  bool full_screen; /**< gdb's text user interface has the terminal. */
  bool borrowed;    /**< The command had the terminal. */
  char refusal[sizeof((struct message *)0)->text];
};

/* Messages ------------------------------------------------------------------ */

/** gdb is gone or has given up on this process. */
static void end_process(void) {
  _exit(0);
}

static void send_message(const struct server *server,
                         const struct message *message) {
  ssize_t sent;

  do
    sent = send(server->socket, message, sizeof *message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent != (ssize_t)sizeof *message)
    end_process();
}

/** False when there is none now, which happens with MSG_DONTWAIT only. */
static bool receive(const struct server *server, struct message *message,
                    int flags) {
  ssize_t length;

  do
    length = recv(server->socket, message, sizeof *message, flags);
  while (length < 0 && errno == EINTR);
  if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return false;
  if (length != (ssize_t)sizeof *message)
    end_process();
  return true;
}

static void look_for_cancel(struct server *server) {
  struct message message;

  while (receive(server, &message, MSG_DONTWAIT)) {
    if (message.kind == MESSAGE_CANCEL)
      server->canceled = true;
    if (message.kind != MESSAGE_DATA)
      continue;
    server->asked_ahead.answered = true;
    server->asked_ahead.done = message.value;
  }
}

/* What the library calls ---------------------------------------------------- */

static void ask_to_read(const struct server *server,
                        const struct reading *reading) {
  send_message(server, &(struct message){.kind = MESSAGE_READ,
                                         .address = reading->address,
                                         .length = reading->length,
                                         .value = reading->window});
}

/** Waits for gdb's answer; whether it could read. */
static bool receive_data(struct server *server) {
  struct message message;

  if (server->asked_ahead.answered)
    return server->asked_ahead.done;
  for (;;) {
    receive(server, &message, 0);
    if (message.kind == MESSAGE_CANCEL)
      server->canceled = true;
    if (message.kind == MESSAGE_DATA)
      return message.value;
  }
}

/** Before gdb is asked for something else. */
static void forget_ahead(struct server *server) {
  if (server->asked_ahead.length)
    receive_data(server);
  server->asked_ahead = server->expected = (struct reading){0};
}

static bool read_piece(struct server *server, uint64_t address, void *buffer,
                       size_t length) {
  struct reading reading = server->asked_ahead;
  struct reading expected = server->expected;

  if (reading.address != address || reading.length != length) {
    forget_ahead(server);
    reading = (struct reading){.address = address, .length = length};
    ask_to_read(server, &reading);
  }
  bool done = receive_data(server);
  server->asked_ahead = server->expected = (struct reading){0};
  if (done && expected.length && !server->canceled) {
    expected.window = (reading.window + 1) % WINDOWS;
    server->asked_ahead = expected;
    ask_to_read(server, &expected);
  }
  if (done)
    memcpy(buffer, server->windows + (size_t)reading.window * WINDOW_BYTES,
           length);
  return done;
}

static void expect_memory(void *context, uint64_t address, size_t length) {
  struct server *server = context;

  if (length <= WINDOW_BYTES)
    server->expected = (struct reading){.address = address, .length = length};
}

static bool read_memory(void *context, uint64_t address, void *buffer,
                        size_t length) {
  struct server *server = context;

  while (length > 0) {
    size_t piece = length < WINDOW_BYTES ? length : WINDOW_BYTES;

    if (server->canceled || !read_piece(server, address, buffer, piece))
      return false;
    address += piece;
    buffer = (char *)buffer + piece;
    length -= piece;
  }
  return true;
}

/** Receives a message and the descriptor that comes with it, or -1. */
static void receive_file(const struct server *server, struct message *message,
                         int *fd) {
  struct iovec bytes = {message, sizeof *message};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof *fd)];
  } control;
  struct msghdr header = {
      .msg_iov = &bytes,
      .msg_iovlen = 1,
      .msg_control = &control,
      .msg_controllen = sizeof control,
  };
  ssize_t length;

  do
    length = recvmsg(server->socket, &header, MSG_CMSG_CLOEXEC);
  while (length < 0 && errno == EINTR);
  if (length != (ssize_t)sizeof *message)
    end_process();
  const struct cmsghdr *first = CMSG_FIRSTHDR(&header);
  *fd = -1;
  if (first && first->cmsg_type == SCM_RIGHTS &&
      first->cmsg_len == CMSG_LEN(sizeof *fd))
    memcpy(fd, CMSG_DATA(first), sizeof *fd);
}

static const char *lend_terminal(void *context, const char *restore, int *fd) {
  struct server *server = context;
  struct message message = {.kind = MESSAGE_TERMINAL};

  forget_ahead(server);
  strncpy(message.text, restore, sizeof message.text - 1);
  send_message(server, &message);
  for (;;) {
    receive_file(server, &message, fd);
    if (message.kind == MESSAGE_CANCEL)
      server->canceled = true;
    if (message.kind == MESSAGE_DATA)
      break;
  }
  if (message.value && *fd >= 0) {
    server->borrowed = true;
    return NULL;
  }
  memcpy(server->refusal, message.text, sizeof server->refusal);
  server->refusal[sizeof server->refusal - 1] = '\0';
  return server->refusal;
}

static bool is_canceled(void *context) {
  struct server *server = context;

  look_for_cancel(server);
  return server->canceled;
}

static bool progress_is_due(struct server *server) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t passed = (now.tv_sec - server->last_progress.tv_sec) * INT64_C(1000) +
                   (now.tv_nsec - server->last_progress.tv_nsec) / 1000000;
  if (passed < PROGRESS_MILLISECONDS)
    return false;
  server->last_progress = now;
  return true;
}

static bool show_progress(void *context, const char *stage, uint64_t done,
                          uint64_t total) {
  struct server *server = context;
  struct message message = {
      .kind = MESSAGE_PROGRESS, .address = done, .length = total};

  look_for_cancel(server);
  if (*stage && progress_is_due(server)) {
    strncpy(message.text, stage, sizeof message.text - 1);
    send_message(server, &message);
  }
  return !server->canceled;
}

/* One command --------------------------------------------------------------- */

static bool ends_with(const char *text, size_t length, const char *end) {
  size_t count = strlen(end);

  return length >= count && memcmp(text + length - count, end, count) == 0;
}

/** What is debugged, in short, or NULL. */
static char *take_brief(void) {
  size_t length;
  char *brief = file_text(HELPER_FD_BRIEF, FILES_LIMIT, &length);

  if (ftruncate(HELPER_FD_BRIEF, 0) != 0)
    end_process();
  if (brief && ends_with(brief, length, BRIEF_END))
    return brief;
  free(brief);
  return NULL;
}

/** Whether what "info files" said last is so now.  If not, it must be asked
 * for.  It names the process by the thread that was selected then, which may
 * have ended since, and what is told in short does not tell that. */
static bool knows_files(struct server *server) {
  char *brief = take_brief();
  bool same = brief && server->brief && strcmp(brief, server->brief) == 0 &&
              debuggee_is_named(&server->debuggee);

  free(server->asked_brief);
  server->asked_brief = brief;
  if (same)
    return true;
  free(server->brief);
  server->brief = NULL;
  return server->told;
}

/** "info files" was asked for and has come, unless the file is empty. */
static void note_files(struct server *server) {
  struct stat status;

  if (fstat(HELPER_FD_FILES, &status) != 0 || status.st_size == 0)
    return;
  server->brief = server->asked_brief;
  server->asked_brief = NULL;
}

/** Points the session to what gdb is debugging now.  The heap stays open while
 * that is the same, has not run and was not written to.  False when gdb must
 * tell first which memory there is. */
static bool look_at_debuggee(struct server *server) {
  struct session *session = server->session;
  struct debuggee now;

  debuggee_init(&now, HELPER_FD_FILES);
  if (session->heap && debuggee_is_same(&server->debuggee, &now) &&
      (now.core || pyheap_is_current(session->heap))) {
    server->debuggee.thread = now.thread;
    debuggee_deinit(&now);
    return true;
  }
  session_close(session);
  debuggee_deinit(&server->debuggee);
  regions_deinit(&server->regions);
  server->debuggee = now;
  session->target = (struct pyheap_target){
      .core = now.core,
      .exe = now.exe,
      .pid = now.pid,
      .stopped = true,
      .reader = &server->reader,
      .progress = &server->progress,
      .files = now.files,
      .file_count = now.file_count,
      .threads = session->target.threads,
  };
  return debuggee_is_readable(&now);
}

/** Has all of the debuggee read by gdb. */
static bool take_regions(struct server *server) {
  struct session *session = server->session;
  struct pyheap_target *target = &session->target;

  regions_init(&server->regions, HELPER_FD_REGIONS,
               server->debuggee.core != NULL);
  target->core = NULL;
  target->pid = 0;
  target->regions = server->regions.items;
  target->region_count = server->regions.count;
  target->stopped_threads = server->regions.threads;
  target->stopped_thread_count = server->regions.thread_count;
  target->entry = server->regions.entry;
  target->random = server->regions.random;
  if (server->regions.count > 0)
    return true;
  session_fail(session, COMMAND_TARGET,
               "muppy cannot read this program without gdb, and gdb cannot "
               "list its memory (info proc mappings)");
  return false;
}

/** Asks for what gdb must write to the file FD. */
static enum command_status ask(struct server *server, enum question question,
                               int fd) {
  if (ftruncate(fd, 0) != 0)
    end_process();
  server->asked = question;
  return COMMAND_EVALUATE;
}

/** Makes the session ready for the request, or says how it ends instead. */
static enum command_status prepare(struct server *server) {
  enum question asked = server->asked;

  server->asked = QUESTION_NONE;
  switch (asked) {
  case QUESTION_NONE:
    if (!knows_files(server))
      return ask(server, QUESTION_FILES, HELPER_FD_FILES);
    break;
  case QUESTION_FILES:
    note_files(server);
    break;
  case QUESTION_VALUE:
    /* An expression may change what was read before. */
    if (!server->session->heap)
      return COMMAND_OK;
    break;
  case QUESTION_REGIONS:
    return take_regions(server) ? COMMAND_OK : COMMAND_TARGET;
  }
  if (look_at_debuggee(server))
    return COMMAND_OK;
  if (debuggee_has_ended(&server->debuggee))
    return session_fail(server->session, COMMAND_TARGET,
                        "process %d has ended, which gdb does not know yet; "
                        "kill or detach, then run or attach anew",
                        (int)server->debuggee.pid);
  return ask(server, QUESTION_REGIONS, HELPER_FD_REGIONS);
}

/** For the tests: the command named by VARIABLE is the one to do it. */
static bool is_tested(const char *variable, const struct request *request) {
  const char *name = getenv(variable);

  return name && strcmp(name, request->argv[0]) == 0;
}

static bool work_slowly(struct server *server) {
  const struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};

  for (int i = 0; i < TEST_SECONDS * 50; i++) {
    if (!show_progress(server, "working slowly", (uint64_t)i,
                       TEST_SECONDS * 50))
      return false;
    nanosleep(&moment, NULL);
  }
  return true;
}

static enum command_status answer(struct server *server,
                                  const struct request *request) {
  struct session *session = server->session;

  /* A row that fills gdb's window has a free one behind it. */
  session->width = request->width - (server->full_screen && request->width > 1);
  session->evaluated = server->values;
  session->evaluated_count = server->value_count;
  if (is_tested("MUPPY_TEST_CRASH", request))
    abort();
  if (is_tested("MUPPY_TEST_MEMORY", request))
    free(must_alloc(PTRDIFF_MAX));
  if (is_tested("MUPPY_TEST_SLOW", request) && !work_slowly(server))
    return COMMAND_CANCELED;
  enum command_status status = prepare(server);
  if (status != COMMAND_OK)
    return status;
  status = command_run(session, request->argc, request->argv);
  if (status == COMMAND_EVALUATE)
    server->asked = QUESTION_VALUE;
  return status;
}

/** Writes the two scripts that gdb sources. */
static void write_end(const struct server *server, enum command_status status,
                      FILE *response, FILE *output) {
  const struct session *session = server->session;

  switch (status) {
  case COMMAND_OK:
    response_status(response, status);
    break;
  case COMMAND_EVALUATE:
    if (server->asked == QUESTION_FILES)
      response_files(response);
    else if (server->asked == QUESTION_REGIONS)
      response_regions(response);
    else
      response_evaluate(response, session->evaluate ? session->evaluate : "0");
    break;
  case COMMAND_CANCELED:
    response_canceled(output, "interrupted");
    response_failure(response, status, "interrupted");
    break;
  default:
    response_failure(response, status,
                     session->message ? session->message : "no reason given");
  }
}

static bool write_all(int fd, const char *bytes, size_t length) {
  if (ftruncate(fd, 0) != 0)
    return false;
  for (size_t at = 0; at < length;) {
    ssize_t written = pwrite(fd, bytes + at, length - at, (off_t)at);

    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return false;
    at += (size_t)written;
  }
  return true;
}

/** A stream into memory; its bytes are there once it is closed. */
struct text {
  FILE *stream;
  char *bytes;
  size_t length;
};

static bool text_open(struct text *text) {
  *text = (struct text){0};
  text->stream = open_memstream(&text->bytes, &text->length);
  return text->stream != NULL;
}

/** False when memory was short. */
static bool text_close(struct text *text) {
  bool complete = text->stream && fclose(text->stream) == 0;

  text->stream = NULL;
  return complete;
}

static void text_deinit(struct text *text) {
  text_close(text);
  free(text->bytes);
}

/** The start of TEXT that gdb prints; the other lines are counted. */
static size_t cut(const char *text, size_t length, size_t *lines_left) {
  size_t kept = 0;

  *lines_left = 0;
  for (size_t at = 0, lines = 0; at < length; lines++) {
    const char *newline = memchr(text + at, '\n', length - at);

    at = newline ? (size_t)(newline - text) + 1 : length;
    if (lines < LINE_LIMIT)
      kept = at;
    else
      ++*lines_left;
  }
  return kept;
}

static void write_answer(FILE *output, const struct text *answered) {
  char line[100];
  size_t left;
  size_t kept = cut(answered->bytes, answered->length, &left);

  response_echo(output, answered->bytes, kept);
  if (!left)
    return;
  int length = snprintf(line, sizeof line,
                        "… %zu more line%s left out; -output FILE "
                        "writes all\n",
                        left, left == 1 ? "" : "s");
  response_echo(output, line, (size_t)length);
}

/** Answers the request with two scripts.  False when memory is short. */
static bool respond(struct server *server, const struct request *request) {
  struct session *session = server->session;
  FILE *usual = session->out;
  __attribute__((cleanup(text_deinit))) struct text answered, response, output;
  bool opened = text_open(&answered);

  opened &= text_open(&response);
  opened &= text_open(&output);
  if (!opened)
    return false;
  session->out = answered.stream;
  enum command_status status = answer(server, request);
  session->out = usual;
  if (!text_close(&answered))
    return false;
  if (server->borrowed && server->full_screen)
    response_redraw(output.stream);
  if (status != COMMAND_EVALUATE)
    write_answer(output.stream, &answered);
  write_end(server, status, response.stream, output.stream);
  return text_close(&response) && text_close(&output) &&
         write_all(HELPER_FD_OUTPUT, output.bytes, output.length) &&
         write_all(HELPER_FD_RESPONSE, response.bytes, response.length);
}

/** Answers when there may be no memory, or no sense in the request. */
static void respond_failure(const char *reason) {
  char bytes[1024];

  memset(bytes, 0, sizeof bytes);
  FILE *response = fmemopen(bytes, sizeof bytes, "w");
  if (!response)
    end_process();
  response_failure(response, COMMAND_FAILED, reason);
  fclose(response);
  if (!write_all(HELPER_FD_OUTPUT, "", 0) ||
      !write_all(HELPER_FD_RESPONSE, bytes, strlen(bytes)))
    end_process();
}

/** Why a value of LENGTH bytes is no address, or NULL.  gdb says no more of it
 * than its bytes: one byte is what it writes for "void", too. */
static const char *refuse_value(const char *bytes, size_t length,
                                uint64_t value) {
  if (!bytes || length == 0)
    return "the expression is no address: its value is longer than 8 bytes";
  if (length != sizeof(uint32_t) && length != sizeof(uint64_t))
    return "the expression is no address: its value is void or has not the "
           "length of a number or pointer";
  if (value >> ADDRESS_BITS)
    return "the expression is no address: its value is too big, as that of a "
           "floating-point number is";
  return NULL;
}

/** Takes the value that gdb was asked for: an integer or pointer of at most
 * 8 bytes, in this machine's order.  Returns why it is none, or NULL. */
static const char *take_value(struct server *server) {
  size_t length;
  uint64_t value = 0;
  char *bytes = file_text(HELPER_FD_VALUE, sizeof value, &length);

  if (bytes)
    memcpy(&value, bytes, length);
  const char *reason = refuse_value(bytes, length, value);
  free(bytes);
  if (!reason && server->value_count == VALUE_LIMIT)
    reason = "there are too many expressions in one command";
  if (!reason)
    server->values[server->value_count++] = value;
  return reason;
}

static void run(struct server *server, const struct message *message) {
  char directory[64];
  struct request request;

  server->canceled = false;
  clock_gettime(CLOCK_MONOTONIC, &server->last_progress);
  if (message->value != PROTOCOL_VERSION) {
    respond_failure("muppy and muppy.so are of different versions; start gdb "
                    "again");
    return;
  }
  server->full_screen = message->length & RUN_FULL_SCREEN;
  server->borrowed = false;
  if (!(message->length & RUN_AGAIN)) {
    server->told = message->length & RUN_TOLD;
    server->asked = QUESTION_NONE;
    server->value_count = 0;
  } else if (server->asked == QUESTION_VALUE) {
    const char *reason = take_value(server);
    if (reason) {
      respond_failure(reason);
      return;
    }
  }
  /* Names of files are relative to where gdb is. */
  snprintf(directory, sizeof directory, "/proc/%d/cwd", (int)message->address);
  if (chdir(directory) != 0 || !request_init(&request, HELPER_FD_REQUEST)) {
    respond_failure("the request got lost");
    return;
  }
  if (!respond(server, &request))
    respond_failure("out of memory");
  request_deinit(&request);
}

/* Processes ----------------------------------------------------------------- */

_Noreturn static void serve(struct server *server) {
  struct message message;
  void *window = mmap(NULL, WINDOWS * WINDOW_BYTES, PROT_READ, MAP_SHARED,
                      HELPER_FD_WINDOW, 0);

  if (window == MAP_FAILED)
    end_process();
  server->windows = window;
  must_status = HELPER_NO_MEMORY;
  server->reader = (struct pyheap_reader){server, read_memory, expect_memory};
  server->progress = (struct pyheap_progress){server, show_progress};
  server->terminal = (struct command_terminal){
      .context = server,
      .lend = lend_terminal,
      .wake = server->socket,
      .is_canceled = is_canceled,
  };
  server->session->terminal = &server->terminal;
  for (;;) {
    receive(server, &message, 0);
    if (message.kind != MESSAGE_RUN)
      continue;
    run(server, &message);
    forget_ahead(server);
    send_message(server, &(struct message){.kind = MESSAGE_DONE});
  }
}

/** A worker that fills gdb's screen leaves it at SIGTERM; any other one ends at
 * once. */
static void end_worker(pid_t worker, int ended) {
  struct pollfd file = {.fd = ended, .events = POLLIN};

  kill(worker, SIGTERM);
  while (poll(&file, 1, END_MILLISECONDS) < 0 && errno == EINTR)
    ;
  kill(worker, SIGKILL);
}

/** Ends this process when gdb has closed its end, or tells gdb how the process
 * that works ended. */
_Noreturn static void supervise(int socket, int ended, pid_t worker) {
  struct pollfd files[] = {
      {.fd = socket, .events = 0},
      {.fd = ended, .events = POLLIN},
  };
  struct message died = {.kind = MESSAGE_DIED};
  int status = 0;

  while (poll(files, 2, -1) < 0 && errno == EINTR)
    ;
  if (files[0].revents)
    end_worker(worker, ended);
  if (waitpid(worker, &status, 0) == worker && !files[0].revents) {
    died.value = (uint32_t)status;
    send(socket, &died, sizeof died, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  _exit(0);
}

_Noreturn static void start_worker(struct server *server) {
  sigset_t child, old;
  pid_t supervisor = getpid();

  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, &old);
  int ended = signalfd(-1, &child, SFD_CLOEXEC);
  pid_t worker = ended < 0 ? -1 : fork();
  if (worker < 0)
    _exit(1);
  if (worker > 0)
    supervise(server->socket, ended, worker);
  close(ended);
  sigprocmask(SIG_SETMASK, &old, NULL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != supervisor)
    _exit(1);
  serve(server);
}

/** What gdb did not mean to pass on must not stay open here. */
static void close_others(void) {
  long limit = sysconf(_SC_OPEN_MAX);

  if (limit < 0 || limit > 4096)
    limit = 4096;
  for (int fd = HELPER_FD_END; fd < limit; fd++)
    close(fd);
}

int server_main(int socket, struct session *session) {
  struct server server = {.socket = socket, .session = session};

  close_others();
  pid_t child = fork();
  if (child == 0)
    start_worker(&server);
  return child < 0;
}
