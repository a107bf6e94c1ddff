/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The types of the standard library's C modules, in the order of the modules'
 * names.  Members stand in the order in which tp_traverse visits them, owned
 * ones last.  From Modules/ of CPython 3.11.
 *
 * A type that CPython's source gives no tp_traverse inherits its base's; its
 * row then repeats the base's members.
 */
#include "config.h"

#include "known_core.h"
#include "known_dict.h"
#include "known_modules.h"

/* The members of types that share a layout. */
#define EXCEPTION                                                              \
  VISITED(PyBaseExceptionObject, dict, ".__dict__"),                           \
      VISITED(PyBaseExceptionObject, args, ".args"),                           \
      VISITED(PyBaseExceptionObject, notes, ".__notes__"),                     \
      VISITED(PyBaseExceptionObject, traceback, ".__traceback__"),             \
      VISITED(PyBaseExceptionObject, context, ".__context__"),                 \
      VISITED(PyBaseExceptionObject, cause, ".__cause__")
#define IO_BASE VISITED(iobase, dict, ".__dict__")
#define BUFFERED                                                               \
  VISITED(buffered, raw, ".raw"), VISITED(buffered, dict, ".__dict__")
#define FUTURE                                                                 \
  VISITED(FutureObj, fut_loop, "._loop"),                                      \
      VISITED(FutureObj, fut_callback0, "callback"),                           \
      VISITED(FutureObj, fut_context0, "callback context"),                    \
      VISITED(FutureObj, fut_callbacks, "._callbacks"),                        \
      VISITED(FutureObj, fut_result, "._result"),                              \
      VISITED(FutureObj, fut_exception, "._exception"),                        \
      VISITED(FutureObj, fut_exception_tb, "exception traceback"),             \
      VISITED(FutureObj, fut_source_tb, "._source_traceback"),                 \
      VISITED(FutureObj, fut_cancel_msg, "._cancel_message"),                  \
      VISITED(FutureObj, fut_cancelled_exc, "cancelled exception"),            \
      VISITED(FutureObj, dict, ".__dict__")
#define CTYPES_DATA                                                            \
  VISITED(CDataObject, b_objects, "._objects"),                                \
      VISITED(CDataObject, b_base, "._b_base_")
#define PURE_ITERATOR(structure)                                               \
  VISITED(structure, it, "iterator"), VISITED(structure, func, "function")

const struct known_type known_modules[] = {
    /* _abc */
    {.name = "_abc._abc_data",
     .members = {OWN_TYPE, VISITED(_abc_data, _abc_registry, "registry"),
                 VISITED(_abc_data, _abc_cache, "cache"),
                 VISITED(_abc_data, _abc_negative_cache, "negative cache")}},

    /* array */
    {.name = "array.array", .size = size_array_array, .members = {OWN_TYPE}},
    {.name = "array.arrayiterator",
     .members = {OWN_TYPE, VISITED(arrayiterobject, ao, "array")}},

    /* _asyncio */
    {.name = "_asyncio.Future", .members = {FUTURE}},
    {.name = "_asyncio.FutureIter",
     .members = {VISITED(futureiterobject, future, "future")}},
    {.name = "_asyncio.Task",
     .members = {VISITED(TaskObj, task_context, "._context"),
                 VISITED(TaskObj, task_coro, "._coro"),
                 VISITED(TaskObj, task_name, ".name"),
                 VISITED(TaskObj, task_fut_waiter, "._fut_waiter"), FUTURE}},
    {.name = "TaskStepMethWrapper",
     .members = {VISITED(TaskStepMethWrapper, sw_task, "task"),
                 VISITED(TaskStepMethWrapper, sw_arg, "argument")}},
    {.name = "_RunningLoopHolder",
     .members = {OWNED(PyRunningLoopHolder, rl_loop, "loop")}},

    /* _blake2 */
    {.name = "_blake2.blake2b"},
    {.name = "_blake2.blake2s"},

    /* _bz2: tp_traverse without the collector's flag */
    {.name = "_bz2.BZ2Compressor"},
    {.name = "_bz2.BZ2Decompressor",
     .members = {OWNED(BZ2Decompressor, unused_data, ".unused_data")}},

    /* _collections */
    {.name = "collections.deque",
     .kind = KIND_DEQUE,
     .visit = visit_deque,
     .size = size_deque},
    {.name = "_collections._deque_iterator",
     .members = {VISITED(dequeiterobject, deque, "deque")}},
    {.name = "_collections._deque_reverse_iterator",
     .members = {VISITED(dequeiterobject, deque, "deque")}},
    {.name = "collections.defaultdict",
     .kind = KIND_DICT,
     .visit = visit_dict,
     .members = {VISITED(defdictobject, default_factory, ".default_factory")}},
    {.name = "_collections._tuplegetter",
     .members = {VISITED(_tuplegetterobject, doc, ".__doc__")}},

    /* _csv */
    {.name = "_csv.Dialect",
     .members = {VISITED(DialectObj, lineterminator, ".lineterminator"),
                 OWN_TYPE}},
    {.name = "_csv.Error", .kind = KIND_EXCEPTION, .members = {EXCEPTION}},
    {.name = "_csv.reader",
     .members = {VISITED(ReaderObj, dialect, ".dialect"),
                 VISITED(ReaderObj, input_iter, "input"),
                 VISITED(ReaderObj, fields, "fields"), OWN_TYPE}},
    {.name = "_csv.writer",
     .members = {VISITED(WriterObj, dialect, ".dialect"),
                 VISITED(WriterObj, write, "write"),
                 VISITED(WriterObj, error_obj, "error"), OWN_TYPE}},

    /* _ctypes */
    {.name = "_ctypes.PyCStructType",
     .kind = KIND_TYPE,
     .visit = visit_ctypes_type},
    {.name = "_ctypes.UnionType",
     .kind = KIND_TYPE,
     .visit = visit_ctypes_type},
    {.name = "_ctypes.PyCPointerType",
     .kind = KIND_TYPE,
     .visit = visit_ctypes_type},
    {.name = "_ctypes.PyCFuncPtrType",
     .kind = KIND_TYPE,
     .visit = visit_ctypes_type},
    {.name = "_ctypes.PyCArrayType",
     .kind = KIND_TYPE,
     .visit = visit_ctypes_plain_type},
    {.name = "_ctypes.PyCSimpleType",
     .kind = KIND_TYPE,
     .visit = visit_ctypes_plain_type},
    /* .proto is the type's to report, which visits it. */
    {.name = "StgDict",
     .kind = KIND_DICT,
     .visit = visit_dict,
     .size = size_ctypes_stgdict,
     .members = {OWNED(StgDictObject, argtypes, "_argtypes_"),
                 OWNED(StgDictObject, converters, "converters"),
                 OWNED(StgDictObject, restype, "_restype_"),
                 OWNED(StgDictObject, checker, "_check_retval_")}},
    {.name = "_ctypes._CData", .members = {CTYPES_DATA}},
    {.name = "_ctypes.Structure", .members = {CTYPES_DATA}},
    {.name = "_ctypes.Union", .members = {CTYPES_DATA}},
    {.name = "_ctypes.Array", .members = {CTYPES_DATA}},
    {.name = "_ctypes._SimpleCData", .members = {CTYPES_DATA}},
    {.name = "_ctypes._Pointer", .members = {CTYPES_DATA}},
    {.name = "_ctypes.CFuncPtr",
     .members = {VISITED(PyCFuncPtrObject, callable, "callable"),
                 VISITED(PyCFuncPtrObject, restype, ".restype"),
                 VISITED(PyCFuncPtrObject, checker, "checker"),
                 VISITED(PyCFuncPtrObject, errcheck, ".errcheck"),
                 VISITED(PyCFuncPtrObject, argtypes, ".argtypes"),
                 VISITED(PyCFuncPtrObject, converters, "converters"),
                 VISITED(PyCFuncPtrObject, paramflags, "paramflags"),
                 VISITED(PyCFuncPtrObject, thunk, "thunk"), CTYPES_DATA}},
    {.name = "_ctypes.CThunkObject",
     .members = {VISITED(CThunkObject, converters, "converters"),
                 VISITED(CThunkObject, callable, "callable"),
                 VISITED(CThunkObject, restype, "restype")}},
    {.name = "_ctypes.CField",
     .members = {VISITED(CFieldObject, proto, "type")}},
    {.name = "_ctypes.DictRemover",
     .members = {OWNED(DictRemoverObject, key, "key"),
                 OWNED(DictRemoverObject, dict, "dict")}},
    {.name = "_ctypes.StructParam_Type",
     .members = {OWNED(StructParamObject, keep, "structure")}},
    {.name = "CArgObject", .members = {OWNED(PyCArgObject, obj, "._obj")}},

    /* _curses, _curses_panel */
    {.name = "_curses.window"},
    {.name = "_curses_panel.panel",
     .visit = visit_curses_panel,
     .members = {OWNED(PyCursesPanelObject, wo, "window")}},

    /* _datetime */
    {.name = "datetime.date"},
    {.name = "datetime.datetime", .visit = visit_datetime_datetime},
    {.name = "datetime.IsoCalendarDate",
     .kind = KIND_TUPLE,
     .visit = visit_tuple},
    {.name = "datetime.time", .visit = visit_datetime_time},
    {.name = "datetime.timedelta"},
    {.name = "datetime.timezone",
     .members = {OWNED(PyDateTime_TimeZone, offset, "offset"),
                 OWNED(PyDateTime_TimeZone, name, "name")}},
    {.name = "datetime.tzinfo"},

    /* _dbm, _gdbm */
    {.name = "_dbm.dbm", .members = {OWN_TYPE}},
    {.name = "_gdbm.gdbm", .members = {OWN_TYPE}},

    /* _decimal */
    {.name = "decimal.Context",
     .members = {OWNED(PyDecContextObject, traps, ".traps"),
                 OWNED(PyDecContextObject, flags, ".flags")}},
    {.name = "decimal.ContextManager",
     .members = {OWNED(PyDecContextManagerObject, local, "local context"),
                 OWNED(PyDecContextManagerObject, global, "saved context")}},
    {.name = "decimal.Decimal", .size = size_decimal},
    {.name = "decimal.SignalDictMixin"},

    /* _elementtree */
    {.name = "_elementtree._element_iterator",
     .visit = visit_element_iterator,
     .members = {VISITED(ElementIterObject, root_element, "root"),
                 VISITED(ElementIterObject, sought_tag, "tag")}},
    {.name = "xml.etree.ElementTree.Element",
     .visit = visit_element,
     .size = size_element,
     .members = {VISITED(ElementObject, tag, ".tag")}},
    {.name = "xml.etree.ElementTree.TreeBuilder",
     .members = {VISITED(TreeBuilderObject, pi_event_obj, "pi event"),
                 VISITED(TreeBuilderObject, comment_event_obj, "comment event"),
                 VISITED(TreeBuilderObject, end_ns_event_obj, "end-ns event"),
                 VISITED(TreeBuilderObject, start_ns_event_obj,
                         "start-ns event"),
                 VISITED(TreeBuilderObject, end_event_obj, "end event"),
                 VISITED(TreeBuilderObject, start_event_obj, "start event"),
                 VISITED(TreeBuilderObject, events_append, "events.append"),
                 VISITED(TreeBuilderObject, root, "root"),
                 VISITED(TreeBuilderObject, this, "current"),
                 VISITED(TreeBuilderObject, last, "last"),
                 VISITED(TreeBuilderObject, last_for_tail, "last for tail"),
                 VISITED(TreeBuilderObject, data, "data"),
                 VISITED(TreeBuilderObject, stack, "stack"),
                 VISITED(TreeBuilderObject, pi_factory, "pi factory"),
                 VISITED(TreeBuilderObject, comment_factory, "comment factory"),
                 VISITED(TreeBuilderObject, element_factory,
                         "element factory")}},
    {.name = "xml.etree.ElementTree.XMLParser",
     .members = {VISITED(XMLParserObject, handle_close, "close"),
                 VISITED(XMLParserObject, handle_pi, "pi"),
                 VISITED(XMLParserObject, handle_comment, "comment"),
                 VISITED(XMLParserObject, handle_end, "end"),
                 VISITED(XMLParserObject, handle_data, "data"),
                 VISITED(XMLParserObject, handle_start, "start"),
                 VISITED(XMLParserObject, handle_start_ns, "start_ns"),
                 VISITED(XMLParserObject, handle_end_ns, "end_ns"),
                 VISITED(XMLParserObject, handle_doctype, "doctype"),
                 VISITED(XMLParserObject, target, ".target"),
                 VISITED(XMLParserObject, entity, ".entity"),
                 VISITED(XMLParserObject, names, "names")}},

    /* _functools */
    {.name = "functools.partial",
     .members = {OWN_TYPE, VISITED(partialobject, fn, ".func"),
                 VISITED(partialobject, args, ".args"),
                 VISITED(partialobject, kw, ".keywords"),
                 VISITED(partialobject, dict, ".__dict__")}},
    {.name = "functools.KeyWrapper",
     .members = {OWN_TYPE, VISITED(keyobject, cmp, "comparison"),
                 VISITED(keyobject, object, ".obj")}},
    /* Its cache visits what it holds, the collector knowing nothing of it. */
    {.name = "functools._lru_list_elem", .members = {TYPE_ELSEWHERE}},
    {.name = "functools._lru_cache_wrapper",
     .visit = visit_lru_cache,
     .members = {OWN_TYPE, VISITED(lru_cache_object, cache, "cache"),
                 VISITED(lru_cache_object, func, ".__wrapped__"),
                 VISITED(lru_cache_object, kwd_mark, "keyword mark"),
                 VISITED(lru_cache_object, lru_list_elem_type, "link type"),
                 VISITED(lru_cache_object, cache_info_type, "cache info type"),
                 VISITED(lru_cache_object, dict, ".__dict__")}},

    /* _hashlib and the modules that stand in for OpenSSL */
    {.name = "_hashlib.HASH"},
    {.name = "_hashlib.HASHXOF"},
    {.name = "_hashlib.HMAC"},
    {.name = "_md5.md5", .members = {OWN_TYPE}},
    {.name = "_sha1.sha1", .members = {OWN_TYPE}},
    {.name = "_sha256.sha224", .members = {OWN_TYPE}},
    {.name = "_sha256.sha256", .members = {OWN_TYPE}},
    {.name = "_sha512.sha384", .members = {OWN_TYPE}},
    {.name = "_sha512.sha512", .members = {OWN_TYPE}},
    {.name = "_sha3.sha3_224"},
    {.name = "_sha3.sha3_256"},
    {.name = "_sha3.sha3_384"},
    {.name = "_sha3.sha3_512"},
    {.name = "_sha3.shake_128"},
    {.name = "_sha3.shake_256"},

    /* _io */
    {.name = "_io._IOBase", .members = {IO_BASE}},
    {.name = "_io._RawIOBase", .members = {IO_BASE}},
    {.name = "_io._BufferedIOBase", .members = {IO_BASE}},
    {.name = "_io._TextIOBase", .members = {IO_BASE}},
    {.name = "_io.FileIO", .members = {VISITED(fileio, dict, ".__dict__")}},
    {.name = "_io.BytesIO",
     .size = size_io_bytesio,
     .members = {VISITED(bytesio, dict, ".__dict__"),
                 OWNED(bytesio, buf, "buffer")}},
    {.name = "_io._BytesIOBuffer",
     .members = {VISITED(bytesiobuf, source, "source")}},
    {.name = "_io.StringIO",
     .members = {VISITED(stringio, dict, ".__dict__"),
                 OWNED(stringio, accu_large, "large strings"),
                 OWNED(stringio, accu_small, "small strings"),
                 OWNED(stringio, decoder, "decoder"),
                 OWNED(stringio, readnl, "newline"),
                 OWNED(stringio, writenl, "newline written")}},
    {.name = "_io.BufferedReader",
     .size = size_io_buffered,
     .members = {BUFFERED}},
    {.name = "_io.BufferedWriter",
     .size = size_io_buffered,
     .members = {BUFFERED}},
    {.name = "_io.BufferedRandom",
     .size = size_io_buffered,
     .members = {BUFFERED}},
    {.name = "_io.BufferedRWPair",
     .members = {VISITED(rwpair, dict, ".__dict__"),
                 OWNED(rwpair, reader, "reader"),
                 OWNED(rwpair, writer, "writer")}},
    {.name = "_io.IncrementalNewlineDecoder",
     .members = {OWNED(nldecoder_object, decoder, "decoder"),
                 OWNED(nldecoder_object, errors, ".errors")}},
    {.name = "_io.TextIOWrapper",
     .members = {VISITED(textio, buffer, ".buffer"),
                 VISITED(textio, encoding, ".encoding"),
                 VISITED(textio, encoder, "encoder"),
                 VISITED(textio, decoder, "decoder"),
                 VISITED(textio, readnl, "newline"),
                 VISITED(textio, decoded_chars, "decoded characters"),
                 VISITED(textio, pending_bytes, "pending bytes"),
                 VISITED(textio, snapshot, "snapshot"),
                 VISITED(textio, errors, ".errors"),
                 VISITED(textio, raw, "raw"),
                 VISITED(textio, dict, ".__dict__")}},

    /* itertools */
    {.name = "itertools.accumulate",
     .members = {VISITED(accumulateobject, binop, "function"),
                 VISITED(accumulateobject, it, "iterator"),
                 VISITED(accumulateobject, total, "total"),
                 VISITED(accumulateobject, initial, "initial")}},
    {.name = "itertools.chain",
     .members = {VISITED(chainobject, source, "source"),
                 VISITED(chainobject, active, "active")}},
    {.name = "itertools.combinations",
     .size = size_itertools_combinations,
     .members = {VISITED(combinationsobject, pool, "pool"),
                 VISITED(combinationsobject, result, "result")}},
    {.name = "itertools.combinations_with_replacement",
     .size = size_itertools_cwr,
     .members = {VISITED(cwrobject, pool, "pool"),
                 VISITED(cwrobject, result, "result")}},
    {.name = "itertools.compress",
     .members = {VISITED(compressobject, data, "data"),
                 VISITED(compressobject, selectors, "selectors")}},
    {.name = "itertools.count",
     .members = {VISITED(countobject, long_cnt, "count"),
                 VISITED(countobject, long_step, "step")}},
    {.name = "itertools.cycle",
     .members = {VISITED(cycleobject, it, "iterator"),
                 VISITED(cycleobject, saved, "saved")}},
    {.name = "itertools.dropwhile",
     .members = {PURE_ITERATOR(dropwhileobject)}},
    {.name = "itertools.filterfalse",
     .members = {PURE_ITERATOR(filterfalseobject)}},
    {.name = "itertools.groupby",
     .members = {VISITED(groupbyobject, it, "iterator"),
                 VISITED(groupbyobject, keyfunc, "key function"),
                 VISITED(groupbyobject, tgtkey, "target key"),
                 VISITED(groupbyobject, currkey, "current key"),
                 VISITED(groupbyobject, currvalue, "current value")}},
    {.name = "itertools._grouper",
     .members = {VISITED(_grouperobject, parent, "groupby"),
                 VISITED(_grouperobject, tgtkey, "target key")}},
    {.name = "itertools.islice",
     .members = {VISITED(isliceobject, it, "iterator")}},
    {.name = "itertools.pairwise",
     .members = {VISITED(pairwiseobject, it, "iterator"),
                 VISITED(pairwiseobject, old, "previous")}},
    {.name = "itertools.permutations",
     .size = size_itertools_permutations,
     .members = {VISITED(permutationsobject, pool, "pool"),
                 VISITED(permutationsobject, result, "result")}},
    {.name = "itertools.product",
     .size = size_itertools_product,
     .members = {VISITED(productobject, pools, "pools"),
                 VISITED(productobject, result, "result")}},
    {.name = "itertools.repeat",
     .members = {VISITED(repeatobject, element, "element")}},
    {.name = "itertools.starmap", .members = {PURE_ITERATOR(starmapobject)}},
    {.name = "itertools.takewhile",
     .members = {PURE_ITERATOR(takewhileobject)}},
    {.name = "itertools._tee",
     .members = {VISITED(teeobject, dataobj, "data")}},
    {.name = "itertools._tee_dataobject",
     .visit = visit_tee_data,
     .members = {VISITED(teedataobject, it, "iterator"),
                 VISITED(teedataobject, nextlink, "next")}},
    {.name = "itertools.zip_longest",
     .members = {VISITED(ziplongestobject, ittuple, "iterators"),
                 VISITED(ziplongestobject, result, "result"),
                 VISITED(ziplongestobject, fillvalue, "fillvalue")}},

    /* _json */
    {.name = "_json.Encoder",
     .members = {OWN_TYPE, VISITED(PyEncoderObject, markers, ".markers"),
                 VISITED(PyEncoderObject, defaultfn, ".default"),
                 VISITED(PyEncoderObject, encoder, ".encoder"),
                 VISITED(PyEncoderObject, indent, ".indent"),
                 VISITED(PyEncoderObject, key_separator, ".key_separator"),
                 VISITED(PyEncoderObject, item_separator, ".item_separator")}},
    {.name = "_json.Scanner",
     .members = {OWN_TYPE,
                 VISITED(PyScannerObject, object_hook, ".object_hook"),
                 VISITED(PyScannerObject, object_pairs_hook,
                         ".object_pairs_hook"),
                 VISITED(PyScannerObject, parse_float, ".parse_float"),
                 VISITED(PyScannerObject, parse_int, ".parse_int"),
                 VISITED(PyScannerObject, parse_constant, ".parse_constant"),
                 VISITED(PyScannerObject, memo, "memo")}},

    /* _lsprof */
    {.name = "_lsprof.Profiler",
     .visit = visit_lsprof_profiler,
     .members = {OWN_TYPE, OWNED(ProfilerObject, externalTimer, "timer")}},

    /* _lzma: tp_traverse without the collector's flag */
    {.name = "_lzma.LZMACompressor"},
    {.name = "_lzma.LZMADecompressor",
     .members = {OWNED(LZMADecompressor, unused_data, ".unused_data")}},

    /* mmap */
    {.name = "mmap.mmap", .members = {OWN_TYPE}},

    /* _multibytecodec */
    {.name = "_multibytecodec.MultibyteCodec", .members = {OWN_TYPE}},
    {.name = "_multibytecodec.MultibyteIncrementalEncoder",
     .visit = visit_multibyte_codec,
     .members = {OWNED(MultibyteIncrementalEncoderObject, pending, "pending")}},
    {.name = "_multibytecodec.MultibyteIncrementalDecoder",
     .visit = visit_multibyte_codec},
    {.name = "_multibytecodec.MultibyteStreamReader",
     .visit = visit_multibyte_codec,
     .members = {VISITED(MultibyteStreamReaderObject, stream, ".stream")}},
    {.name = "_multibytecodec.MultibyteStreamWriter",
     .visit = visit_multibyte_codec,
     .members = {VISITED(MultibyteStreamWriterObject, stream, ".stream"),
                 OWNED(MultibyteStreamWriterObject, pending, "pending")}},

    /* _multiprocessing */
    {.name = "_multiprocessing.SemLock"},

    /* _operator */
    {.name = "operator.attrgetter",
     .members = {VISITED(attrgetterobject, attr, "attributes"), OWN_TYPE}},
    {.name = "operator.itemgetter",
     .members = {OWN_TYPE, VISITED(itemgetterobject, item, "items")}},
    {.name = "operator.methodcaller",
     .members = {VISITED(methodcallerobject, name, "method name"),
                 VISITED(methodcallerobject, args, "arguments"),
                 VISITED(methodcallerobject, kwds, "keyword arguments"),
                 OWN_TYPE}},

    /* ossaudiodev */
    {.name = "ossaudiodev.oss_audio_device"},
    {.name = "ossaudiodev.oss_mixer_device"},

    /* _pickle */
    {.name = "_pickle.Pdata", .visit = visit_pickle_data},
    {.name = "_pickle.Pickler",
     .visit = visit_pickler,
     .size = size_pickler,
     .members = {VISITED(PicklerObject, write, "write"),
                 VISITED(PicklerObject, pers_func, ".persistent_id"),
                 VISITED(PicklerObject, dispatch_table, ".dispatch_table"),
                 VISITED(PicklerObject, fast_memo, "fast memo"),
                 VISITED(PicklerObject, reducer_override, ".reducer_override"),
                 VISITED(PicklerObject, buffer_callback, "buffer callback"),
                 OWNED(PicklerObject, output_buffer, "output buffer")}},
    {.name = "_pickle.PicklerMemoProxy",
     .members = {VISITED(PicklerMemoProxyObject, pickler, "pickler")}},
    {.name = "_pickle.Unpickler",
     .visit = visit_unpickler,
     .size = size_unpickler,
     .members = {VISITED(UnpicklerObject, readline, "readline"),
                 VISITED(UnpicklerObject, readinto, "readinto"),
                 VISITED(UnpicklerObject, read, "read"),
                 VISITED(UnpicklerObject, peek, "peek"),
                 VISITED(UnpicklerObject, stack, "stack"),
                 VISITED(UnpicklerObject, pers_func, ".persistent_load"),
                 VISITED(UnpicklerObject, buffers, "buffers"),
                 OWNED(UnpicklerObject, buffer_obj, "input")}},
    {.name = "_pickle.UnpicklerMemoProxy",
     .members = {VISITED(UnpicklerMemoProxyObject, unpickler, "unpickler")}},

    /* posix */
    {.name = "posix.DirEntry",
     .members = {OWNED(DirEntry, name, ".name"), OWNED(DirEntry, path, ".path"),
                 OWNED(DirEntry, stat, "stat"),
                 OWNED(DirEntry, lstat, "lstat")}},
    {.name = "posix.ScandirIterator",
     .members = {OWNED(ScandirIterator, path_object, "path"),
                 OWNED(ScandirIterator, path_cleanup, "path as bytes")}},

    /* pyexpat */
    {.name = "pyexpat.xmlparser",
     .visit = visit_expat_parser,
     .members = {OWN_TYPE, OWNED(xmlparseobject, intern, ".intern")}},

    /* _queue */
    {.name = "_queue.SimpleQueue",
     .members = {VISITED(simplequeueobject, lst, "items"), OWN_TYPE}},

    /* _random */
    {.name = "_random.Random"},

    /* select */
    {.name = "select.epoll"},
    {.name = "select.poll", .members = {OWNED(pollObject, dict, "registered")}},

    /* _socket */
    {.name = "_socket.socket"},

    /* _sqlite3 */
    {.name = "sqlite3.Blob",
     .members = {OWN_TYPE, VISITED(pysqlite_Blob, connection, "connection")}},
    {.name = "sqlite3.Connection",
     .visit = visit_sqlite_connection,
     .members = {OWN_TYPE,
                 VISITED(pysqlite_Connection, statement_cache,
                         "statement cache"),
                 VISITED(pysqlite_Connection, cursors, "cursors"),
                 VISITED(pysqlite_Connection, blobs, "blobs"),
                 VISITED(pysqlite_Connection, row_factory, ".row_factory"),
                 VISITED(pysqlite_Connection, text_factory, ".text_factory")}},
    {.name = "sqlite3.Cursor",
     .members = {OWN_TYPE, VISITED(pysqlite_Cursor, connection, ".connection"),
                 VISITED(pysqlite_Cursor, description, ".description"),
                 VISITED(pysqlite_Cursor, row_cast_map, "converters"),
                 VISITED(pysqlite_Cursor, lastrowid, ".lastrowid"),
                 VISITED(pysqlite_Cursor, row_factory, ".row_factory"),
                 VISITED(pysqlite_Cursor, statement, "statement")}},
    {.name = "sqlite3.PrepareProtocol", .members = {OWN_TYPE}},
    {.name = "sqlite3.Row",
     .members = {OWN_TYPE, VISITED(pysqlite_Row, data, "data"),
                 VISITED(pysqlite_Row, description, "description")}},
    {.name = "sqlite3.Statement", .members = {OWN_TYPE}},

    /* _sre */
    {.name = "re.Match",
     .members = {OWN_TYPE, VISITED(MatchObject, string, ".string"),
                 VISITED(MatchObject, regs, ".regs"),
                 VISITED(MatchObject, pattern, ".re")}},
    {.name = "re.Pattern",
     .members = {OWN_TYPE, VISITED(PatternObject, groupindex, ".groupindex"),
                 VISITED(PatternObject, indexgroup, "group names"),
                 VISITED(PatternObject, pattern, ".pattern")}},
    {.name = "_sre.SRE_Scanner",
     .members = {OWN_TYPE, VISITED(ScannerObject, pattern, ".pattern"),
                 OWNED(ScannerObject, state_string, "string"),
                 OWNED(ScannerObject, state_buffer_obj, "buffer")}},

    /* _ssl */
    {.name = "_ssl._SSLContext",
     .members = {VISITED(PySSLContext, set_sni_cb, ".sni_callback"),
                 VISITED(PySSLContext, msg_cb, "._msg_callback"), OWN_TYPE,
                 OWNED(PySSLContext, keylog_filename, ".keylog_filename")}},
    {.name = "_ssl._SSLSocket",
     .members = {VISITED(PySSLSocket, exc_type, "exception type"),
                 VISITED(PySSLSocket, exc_value, "exception"),
                 VISITED(PySSLSocket, exc_tb, "traceback"), OWN_TYPE,
                 OWNED(PySSLSocket, Socket, "socket weakref"),
                 OWNED(PySSLSocket, ctx, ".context"),
                 OWNED(PySSLSocket, server_hostname, ".server_hostname"),
                 OWNED(PySSLSocket, owner, "owner weakref")}},
    {.name = "_ssl.Certificate"},
    {.name = "_ssl.MemoryBIO", .members = {OWN_TYPE}},
    {.name = "_ssl.SSLSession",
     .members = {VISITED(PySSLSession, ctx, "context"), OWN_TYPE}},
    {.name = "ssl.SSLError",
     .kind = KIND_EXCEPTION,
     .members = {VISITED(PyOSErrorObject, myerrno, ".errno"),
                 VISITED(PyOSErrorObject, strerror, ".strerror"),
                 VISITED(PyOSErrorObject, filename, ".filename"),
                 VISITED(PyOSErrorObject, filename2, ".filename2"), EXCEPTION}},

    /* _struct */
    {.name = "_struct.Struct",
     .size = size_struct_struct,
     .members = {OWN_TYPE, VISITED(PyStructObject, s_format, ".format")}},
    {.name = "_struct.unpack_iterator",
     .members = {OWN_TYPE, VISITED(unpackiterobject, so, "struct"),
                 VISITED(unpackiterobject, buf_obj, "buffer")}},

    /* _thread */
    {.name = "_thread._local",
     .members = {OWN_TYPE, VISITED(localobject, args, "arguments"),
                 VISITED(localobject, kw, "keyword arguments"),
                 VISITED(localobject, dummies, "dicts of the threads"),
                 OWNED(localobject, key, "key"),
                 OWNED(localobject, wr_callback, "weakref callback")}},
    {.name = "_thread._localdummy"},
    {.name = "_thread.lock", .members = {OWN_TYPE}},
    {.name = "_thread.RLock", .members = {OWN_TYPE}},

    /* _tkinter */
    {.name = "_tkinter.tkapp"},

    /* unicodedata */
    {.name = "unicodedata.UCD", .members = {OWN_TYPE}},

    /* _xxsubinterpreters */
    {.name = "_xxsubinterpreters.ChannelID"},

    /* Examples of how to write an extension */
    {.name = "xxlimited.Xxo",
     .members = {OWN_TYPE, VISITED(XxoObject, x_attr, "attributes")}},
    {.name = "xxsubtype.spamdict", .kind = KIND_DICT, .visit = visit_dict},
    {.name = "xxsubtype.spamlist", .kind = KIND_LIST, .visit = visit_list},

    /* zlib */
    {.name = "zlib.Compress",
     .members = {OWNED(compobject, unused_data, ".unused_data"),
                 OWNED(compobject, unconsumed_tail, ".unconsumed_tail"),
                 OWNED(compobject, zdict, "dictionary")}},
    {.name = "zlib.Decompress",
     .members = {OWNED(compobject, unused_data, ".unused_data"),
                 OWNED(compobject, unconsumed_tail, ".unconsumed_tail"),
                 OWNED(compobject, zdict, "dictionary")}},

    /* _zoneinfo */
    {.name = "zoneinfo.ZoneInfo",
     .visit = visit_zoneinfo,
     .members = {OWNED(PyZoneInfo_ZoneInfo, key, ".key"),
                 OWNED(PyZoneInfo_ZoneInfo, file_repr, "file")}},

    {.name = NULL},
};
