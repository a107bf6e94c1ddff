/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The types that CPython's Objects/ and Python/ directories define, in the
 * order of their tp_name within each group.
 *
 * A member is VISITED where tp_traverse of the type visits it, and OWNED where
 * only tp_dealloc knows of it.  A pointer that is in neither (wr_object,
 * var_cached, md_def, the "one" of enumerate) is borrowed or weak.
 *
 * Exceptions, and other types that only change behaviour, are found under the
 * first of their bases that has a row.
 */
#include "known_code.h"
#include "known_core.h"
#include "known_dict.h"
#include "known_frames.h"

#define EXCEPTION_MEMBERS                                                      \
  VISITED(PyBaseExceptionObject, dict, ".__dict__"),                           \
      VISITED(PyBaseExceptionObject, args, ".args"),                           \
      VISITED(PyBaseExceptionObject, notes, ".__notes__"),                     \
      VISITED(PyBaseExceptionObject, traceback, ".__traceback__"),             \
      VISITED(PyBaseExceptionObject, cause, ".__cause__"),                     \
      VISITED(PyBaseExceptionObject, context, ".__context__")

/* Descriptors of all kinds begin alike; their class alone is visited. */
#define DESCRIPTOR_MEMBERS                                                     \
  VISITED(PyDescrObject, d_type, ".__objclass__"),                             \
      OWNED(PyDescrObject, d_name, ".__name__"),                               \
      OWNED(PyDescrObject, d_qualname, ".__qualname__")

#define UNION_MEMBERS                                                          \
  VISITED(unionobject, args, ".__args__"),                                     \
      VISITED(unionobject, hashable_args, "hashable arguments"),               \
      VISITED(unionobject, unhashable_args, "other arguments"),                \
      VISITED(unionobject, parameters, ".__parameters__")

/* Visited since 3.14.1 and 3.13.10 (Objects/typevarobject.c, gh-140000). */
#define NAME_MEMBER(structure)                                                 \
  OWNED_BEFORE(0x030d0a00, structure, name, ".__name__"),                      \
      VISITED_DURING(0x030d0a00, 0x030e, structure, name, ".__name__"),        \
      OWNED_DURING(0x030e, 0x030e0100, structure, name, ".__name__"),          \
      VISITED_SINCE(0x030e0100, structure, name, ".__name__")

#define CONTEXT(name_)                                                         \
  {                                                                            \
    .name = name_, .members = {                                                \
      VISITED(PyContext, ctx_prev, "previous context"),                        \
      VISITED(PyContext, ctx_vars, "variables")                                \
    }                                                                          \
  }

#define CONTEXT_VARIABLE(name_)                                                \
  {                                                                            \
    .name = name_, .members = {                                                \
      VISITED(PyContextVar, var_name, ".name"),                                \
      VISITED(PyContextVar, var_default, "default")                            \
    }                                                                          \
  }

#define CONTEXT_TOKEN(name_)                                                   \
  {                                                                            \
    .name = name_, .members = {                                                \
      VISITED(PyContextToken, tok_ctx, "context"),                             \
      VISITED(PyContextToken, tok_var, ".var"),                                \
      VISITED(PyContextToken, tok_oldval, ".old_value")                        \
    }                                                                          \
  }

#define UNICODE_ERROR_MEMBERS                                                  \
  VISITED(PyUnicodeErrorObject, encoding, ".encoding"),                        \
      VISITED(PyUnicodeErrorObject, object, ".object"),                        \
      VISITED(PyUnicodeErrorObject, reason, ".reason"), EXCEPTION_MEMBERS

#define DICT_ITERATOR(name_)                                                   \
  {                                                                            \
    .name = name_, .members = {                                                \
      VISITED(dictiterobject, di_dict, "dict"),                                \
      VISITED(dictiterobject, di_result, "result")                             \
    }                                                                          \
  }

#define DICT_VIEW(name_)                                                       \
  {                                                                            \
    .name = name_, .members = { VISITED(_PyDictViewObject, dv_dict, "dict") }  \
  }

#define HAMT_ITERATOR(name_)                                                   \
  {                                                                            \
    .name = name_, .members = { VISITED(PyHamtIterator, hi_obj, "hamt") }      \
  }

#define WEAKREF(name_)                                                         \
  {                                                                            \
    .name = name_, .kind = KIND_WEAKREF, .members = {                          \
      VISITED(PyWeakReference, wr_callback, ".__callback__")                   \
    }                                                                          \
  }

#define STRUCTSEQ(name_)                                                       \
  { .name = name_, .kind = KIND_TUPLE, .visit = visit_structseq }

const struct known_type known_types[] = {
    /* Singletons, numbers, strings */
    {.name = "<dummy key> type"},
    {.name = "EncodingMap"},
    {.name = "NoneType", .kind = KIND_NONE},
    {.name = "NotImplementedType"},
    {.name = "Token.MISSING"},
    {.name = "bool", .kind = KIND_BOOL, .size = int_size},
    {.name = "bytearray", .kind = KIND_BYTEARRAY, .size = bytearray_size},
    {.name = "bytes", .kind = KIND_BYTES},
    {.name = "complex", .kind = KIND_COMPLEX},
    {.name = "ellipsis"},
    {.name = "float", .kind = KIND_FLOAT},
    {.name = "int", .kind = KIND_INT, .size = int_size},
    {.name = "object", .kind = KIND_OBJECT},
    {.name = "str", .kind = KIND_STR, .size = str_size},

    /* Containers */
    {.name = "collections.OrderedDict",
     .kind = KIND_DICT,
     .visit = visit_odict,
     .size = odict_size},
    {.name = "dict", .kind = KIND_DICT, .visit = visit_dict, .size = dict_size},
    {.name = "frozendict",
     .kind = KIND_DICT,
     .visit = visit_dict,
     .size = dict_size},
    {.name = "frozenset",
     .kind = KIND_SET,
     .visit = visit_set,
     .size = set_size},
    {.name = "list", .kind = KIND_LIST, .visit = visit_list, .size = list_size},
    {.name = "range",
     .kind = KIND_RANGE,
     .members = {OWNED(rangeobject, start, ".start"),
                 OWNED(rangeobject, stop, ".stop"),
                 OWNED(rangeobject, step, ".step"),
                 OWNED(rangeobject, length, "length")}},
    {.name = "set", .kind = KIND_SET, .visit = visit_set, .size = set_size},
    {.name = "slice",
     .members = {VISITED(PySliceObject, start, ".start"),
                 VISITED(PySliceObject, stop, ".stop"),
                 VISITED(PySliceObject, step, ".step")}},
    {.name = "tuple", .kind = KIND_TUPLE, .visit = visit_tuple},

    /* Views and iterators */
    {.name = "anext_awaitable",
     .members = {VISITED(anextawaitableobject, wrapped, "awaitable"),
                 VISITED(anextawaitableobject, default_value, "default")}},
    {.name = "bytearray_iterator",
     .members = {VISITED(bytearrayiterobject, it_seq, "sequence")}},
    {.name = "bytes_iterator",
     .members = {VISITED(striterobject, it_seq, "sequence")}},
    {.name = "callable_iterator",
     .members = {VISITED(calliterobject, it_callable, "callable"),
                 VISITED(calliterobject, it_sentinel, "sentinel")}},
    DICT_VIEW("dict_items"),
    DICT_ITERATOR("dict_itemiterator"),
    DICT_ITERATOR("dict_keyiterator"),
    DICT_VIEW("dict_keys"),
    DICT_ITERATOR("dict_reverseitemiterator"),
    DICT_ITERATOR("dict_reversekeyiterator"),
    DICT_ITERATOR("dict_reversevalueiterator"),
    DICT_ITERATOR("dict_valueiterator"),
    DICT_VIEW("dict_values"),
    {.name = "enumerate",
     .members = {VISITED(enumobject, en_sit, "iterator"),
                 VISITED(enumobject, en_result, "result"),
                 VISITED(enumobject, en_longindex, "index")}},
    {.name = "fieldnameiterator",
     .members = {OWNED(fieldnameiterobject, str, "string")}},
    {.name = "filter",
     .members = {VISITED(filterobject, it, "iterator"),
                 VISITED(filterobject, func, "function")}},
    {.name = "formatteriterator",
     .members = {OWNED(formatteriterobject, str, "string")}},
    {.name = "generic_alias_iterator",
     .members = {VISITED(gaiterobject, obj, "alias")}},
    {.name = "iterator",
     .members = {VISITED(seqiterobject, it_seq, "sequence")}},
    {.name = "line_iterator",
     .members = {OWNED(lineiterator, li_code, "code")}},
    {.name = "list_iterator",
     .members = {VISITED(listiterobject, it_seq, "sequence")}},
    {.name = "list_reverseiterator",
     .members = {VISITED(listreviterobject, it_seq, "sequence")}},
    {.name = "longrange_iterator",
     .members = {OWNED(longrangeiterobject, index, "index"),
                 OWNED(longrangeiterobject, start, "start"),
                 OWNED(longrangeiterobject, step, "step"),
                 OWNED(longrangeiterobject, len, "length")}},
    {.name = "map",
     .members = {VISITED(mapobject, iters, "iterators"),
                 VISITED(mapobject, func, "function")}},
    {.name = "memory_iterator",
     .members = {VISITED(memoryiterobject, it_seq, "sequence")}},
    DICT_VIEW("odict_items"),
    {.name = "odict_iterator",
     .members = {VISITED(odictiterobject, di_odict, "dict"),
                 VISITED(odictiterobject, di_current, "current key"),
                 VISITED(odictiterobject, di_result, "result")}},
    DICT_VIEW("odict_keys"),
    DICT_VIEW("odict_values"),
    {.name = "positions_iterator",
     .members = {OWNED(positionsiterator, pi_code, "code")}},
    {.name = "range_iterator"},
    {.name = "reversed", .members = {VISITED(reversedobject, seq, "sequence")}},
    {.name = "set_iterator",
     .members = {VISITED(setiterobject, si_set, "set")}},
    {.name = "str_ascii_iterator",
     .members = {VISITED(unicodeiterobject, it_seq, "sequence")}},
    {.name = "str_iterator",
     .members = {VISITED(unicodeiterobject, it_seq, "sequence")}},
    {.name = "tuple_iterator",
     .members = {VISITED(tupleiterobject, it_seq, "sequence")}},
    {.name = "zip",
     .members = {VISITED(zipobject, ittuple, "iterators"),
                 VISITED(zipobject, result, "result")}},

    /* Functions, code, modules, types */
    {.name = "builtin_function_or_method",
     .kind = KIND_BUILTIN,
     .members = {VISITED(PyCFunctionObject, m_self, ".__self__"),
                 VISITED(PyCFunctionObject, m_module, ".__module__")}},
    {.name = "builtin_method", /* with METH_METHOD */
     .kind = KIND_BUILTIN,
     .members = {VISITED(PyCMethodObject, mm_class, "class"),
                 VISITED(PyCFunctionObject, m_self, ".__self__"),
                 VISITED(PyCFunctionObject, m_module, ".__module__")}},
    {.name = "cell",
     .kind = KIND_CELL,
     .members = {VISITED(PyCellObject, ob_ref, ".cell_contents")}},
    {.name = "classmethod",
     .members = {VISITED(classmethod, cm_callable, ".__func__"),
                 VISITED(classmethod, cm_dict, ".__dict__")}},
    {.name = "code",
     .kind = KIND_CODE,
     .visit = visit_code,
     .size = code_size,
     /* The collector knows code in free-threaded builds only. */
     .members = {VISITED(PyCodeObject, co_consts, ".co_consts"),
                 OWNED(PyCodeObject, co_names, ".co_names"),
                 OWNED(PyCodeObject, co_exceptiontable, ".co_exceptiontable"),
                 OWNED(PyCodeObject, co_localsplusnames, "names of locals"),
                 OWNED(PyCodeObject, co_localspluskinds, "kinds of locals"),
                 OWNED(PyCodeObject, co_filename, ".co_filename"),
                 OWNED(PyCodeObject, co_name, ".co_name"),
                 OWNED(PyCodeObject, co_qualname, ".co_qualname"),
                 OWNED(PyCodeObject, co_linetable, ".co_linetable"),
                 OWNED(PyCodeObject, co_code_cached, ".co_code"),
                 OWNED(PyCodeObject, co_code, ".co_code"),
                 OWNED(PyCodeObject, co_varnames, ".co_varnames"),
                 OWNED(PyCodeObject, co_freevars, ".co_freevars"),
                 OWNED(PyCodeObject, co_cellvars, ".co_cellvars")}},
    {.name = "function",
     .kind = KIND_FUNCTION,
     .members = {VISITED(PyFunctionObject, func_code, ".__code__"),
                 VISITED(PyFunctionObject, func_globals, ".__globals__"),
                 VISITED(PyFunctionObject, func_builtins, ".__builtins__"),
                 VISITED(PyFunctionObject, func_module, ".__module__"),
                 VISITED(PyFunctionObject, func_defaults, ".__defaults__"),
                 VISITED(PyFunctionObject, func_kwdefaults, ".__kwdefaults__"),
                 VISITED(PyFunctionObject, func_doc, ".__doc__"),
                 VISITED(PyFunctionObject, func_name, ".__name__"),
                 VISITED(PyFunctionObject, func_dict, ".__dict__"),
                 VISITED(PyFunctionObject, func_closure, ".__closure__"),
                 VISITED(PyFunctionObject, func_annotations,
                         ".__annotations__"),
                 VISITED(PyFunctionObject, func_annotate, ".__annotate__"),
                 VISITED(PyFunctionObject, func_typeparams, ".__type_params__"),
                 VISITED(PyFunctionObject, func_qualname, ".__qualname__")}},
    {.name = "instancemethod",
     .members = {VISITED(PyInstanceMethodObject, func, ".__func__")}},
    {.name = "method",
     .kind = KIND_METHOD,
     .members = {VISITED(PyMethodObject, im_func, ".__func__"),
                 VISITED(PyMethodObject, im_self, ".__self__")}},
    {.name = "module", .kind = KIND_MODULE, .visit = visit_module},
    {.name = "moduledef",
     .members = {OWNED(PyModuleDef, m_copy, "copy of the module's dict")}},
    {.name = "staticmethod",
     .members = {VISITED(staticmethod, sm_callable, ".__func__"),
                 VISITED(staticmethod, sm_dict, ".__dict__")}},
    {.name = "super",
     .members = {VISITED(superobject, obj, ".__self__"),
                 VISITED(superobject, type, ".__thisclass__"),
                 VISITED(superobject, obj_type, ".__self_class__")}},
    {.name = "type", .kind = KIND_TYPE, .visit = visit_type, .size = type_size},

    /* Descriptors */
    {.name = "classmethod_descriptor",
     .kind = KIND_DESCRIPTOR,
     .members = {DESCRIPTOR_MEMBERS}},
    {.name = "getset_descriptor",
     .kind = KIND_DESCRIPTOR,
     .members = {DESCRIPTOR_MEMBERS}},
    {.name = "mappingproxy",
     .members = {VISITED(mappingproxyobject, mapping, "mapping")}},
    {.name = "member_descriptor",
     .kind = KIND_DESCRIPTOR,
     .members = {DESCRIPTOR_MEMBERS}},
    {.name = "method-wrapper",
     .members = {VISITED(wrapperobject, descr, "descriptor"),
                 VISITED(wrapperobject, self, ".__self__")}},
    {.name = "method_descriptor",
     .kind = KIND_DESCRIPTOR,
     .members = {DESCRIPTOR_MEMBERS}},
    {.name = "property",
     .members = {VISITED(propertyobject, prop_get, ".fget"),
                 VISITED(propertyobject, prop_set, ".fset"),
                 VISITED(propertyobject, prop_del, ".fdel"),
                 VISITED(propertyobject, prop_doc, ".__doc__"),
                 VISITED(propertyobject, prop_name, "name")}},
    {.name = "wrapper_descriptor",
     .kind = KIND_DESCRIPTOR,
     .members = {DESCRIPTOR_MEMBERS}},

    /* Frames, generators, coroutines */
    {.name = "async_generator",
     .kind = KIND_GENERATOR,
     .visit = visit_async_generator,
     .size = generator_size},
    {.name = "async_generator_asend",
     .members = {VISITED(PyAsyncGenASend, ags_gen, "generator"),
                 VISITED(PyAsyncGenASend, ags_sendval, "value")}},
    {.name = "async_generator_athrow",
     .members = {VISITED(PyAsyncGenAThrow, agt_gen, "generator"),
                 VISITED(PyAsyncGenAThrow, agt_args, "arguments"),
                 VISITED(PyAsyncGenAThrow, agt_typ, "type"),
                 VISITED(PyAsyncGenAThrow, agt_tb, "traceback"),
                 VISITED(PyAsyncGenAThrow, agt_val, "value")}},
    {.name = "async_generator_wrapped_value",
     .members = {VISITED(_PyAsyncGenWrappedValue, agw_val, "value")}},
    {.name = "coroutine",
     .kind = KIND_GENERATOR,
     .visit = visit_coroutine,
     .size = generator_size},
    {.name = "coroutine_wrapper",
     .members = {VISITED(PyCoroWrapper, cw_coroutine, "coroutine")}},
    {.name = "FrameLocalsProxy",
     .members = {VISITED(PyFrameLocalsProxyObject, frame, "frame")}},
    {.name = "frame",
     .kind = KIND_FRAME,
     .visit = visit_frame_object,
     .size = frame_object_size},
    {.name = "generator",
     .kind = KIND_GENERATOR,
     .visit = visit_generator,
     .size = generator_size},
    {.name = "traceback",
     .members = {VISITED(PyTracebackObject, tb_next, ".tb_next"),
                 VISITED(PyTracebackObject, tb_frame, ".tb_frame")}},

    /* Exceptions */
    {.name = "AttributeError",
     .kind = KIND_EXCEPTION,
     .members = {VISITED(PyAttributeErrorObject, obj, ".obj"),
                 VISITED(PyAttributeErrorObject, name, ".name"),
                 EXCEPTION_MEMBERS}},
    {.name = "BaseException",
     .kind = KIND_EXCEPTION,
     .members = {EXCEPTION_MEMBERS}},
    {.name = "BaseExceptionGroup",
     .kind = KIND_EXCEPTION,
     .members = {VISITED(PyBaseExceptionGroupObject, msg, ".message"),
                 VISITED(PyBaseExceptionGroupObject, excs, ".exceptions"),
                 VISITED(PyBaseExceptionGroupObject, excs_str,
                         "text of the exceptions"),
                 EXCEPTION_MEMBERS}},
    {.name = "ImportError",
     .kind = KIND_EXCEPTION,
     .members = {VISITED(PyImportErrorObject, msg, ".msg"),
                 VISITED(PyImportErrorObject, name, ".name"),
                 VISITED(PyImportErrorObject, path, ".path"),
                 VISITED(PyImportErrorObject, name_from, ".name_from"),
                 EXCEPTION_MEMBERS}},
    {.name = "NameError",
     .kind = KIND_EXCEPTION,
     .members = {VISITED(PyNameErrorObject, name, ".name"), EXCEPTION_MEMBERS}},
    {.name = "OSError",
     .kind = KIND_EXCEPTION,
     .members = {VISITED(PyOSErrorObject, myerrno, ".errno"),
                 VISITED(PyOSErrorObject, strerror, ".strerror"),
                 VISITED(PyOSErrorObject, filename, ".filename"),
                 VISITED(PyOSErrorObject, filename2, ".filename2"),
                 EXCEPTION_MEMBERS}},
    {.name = "StopIteration",
     .kind = KIND_EXCEPTION,
     .members = {VISITED(PyStopIterationObject, value, ".value"),
                 EXCEPTION_MEMBERS}},
    {.name = "SyntaxError",
     .kind = KIND_EXCEPTION,
     .members = {VISITED(PySyntaxErrorObject, msg, ".msg"),
                 VISITED(PySyntaxErrorObject, filename, ".filename"),
                 VISITED(PySyntaxErrorObject, lineno, ".lineno"),
                 VISITED(PySyntaxErrorObject, offset, ".offset"),
                 VISITED(PySyntaxErrorObject, end_lineno, ".end_lineno"),
                 VISITED(PySyntaxErrorObject, end_offset, ".end_offset"),
                 VISITED(PySyntaxErrorObject, text, ".text"),
                 VISITED(PySyntaxErrorObject, print_file_and_line,
                         ".print_file_and_line"),
                 VISITED(PySyntaxErrorObject, metadata, "metadata"),
                 EXCEPTION_MEMBERS}},
    {.name = "SystemExit",
     .kind = KIND_EXCEPTION,
     .members = {VISITED(PySystemExitObject, code, ".code"),
                 EXCEPTION_MEMBERS}},
    {.name = "UnicodeDecodeError",
     .kind = KIND_EXCEPTION,
     .members = {UNICODE_ERROR_MEMBERS}},
    {.name = "UnicodeEncodeError",
     .kind = KIND_EXCEPTION,
     .members = {UNICODE_ERROR_MEMBERS}},
    {.name = "UnicodeTranslateError",
     .kind = KIND_EXCEPTION,
     .members = {UNICODE_ERROR_MEMBERS}},

    /* Weak references and buffers.  3.11 changed the names of the first. */
    {.name = "PyCapsule", .visit = visit_capsule},
    {.name = "_buffer_wrapper",
     .members = {VISITED(PyBufferWrapper, mv, "memoryview"),
                 VISITED(PyBufferWrapper, obj, "object")}},
    {.name = "managedbuffer",
     .members = {VISITED(_PyManagedBufferObject, master_obj, ".obj")}},
    {.name = "memoryview",
     .members = {VISITED(PyMemoryViewObject, mbuf, "buffer")}},
    {.name = "pickle.PickleBuffer",
     .members = {VISITED(PyPickleBufferObject, view_obj, "object")}},
    WEAKREF("weakcallableproxy"),
    WEAKREF("weakproxy"),
    WEAKREF("weakref"),
    WEAKREF("weakref.CallableProxyType"),
    WEAKREF("weakref.ProxyType"),
    WEAKREF("weakref.ReferenceType"),

    /* Context variables; without the module until 3.9 */
    CONTEXT("Context"),
    CONTEXT_VARIABLE("ContextVar"),
    CONTEXT_TOKEN("Token"),
    CONTEXT("_contextvars.Context"),
    CONTEXT_VARIABLE("_contextvars.ContextVar"),
    CONTEXT_TOKEN("_contextvars.Token"),
    {.name = "hamt", .members = {VISITED(PyHamtObject, h_root, "root")}},
    {.name = "hamt_array_node", .visit = visit_hamt_array},
    {.name = "hamt_bitmap_node", .visit = visit_hamt_bitmap},
    {.name = "hamt_collision_node", .visit = visit_hamt_collision},
    HAMT_ITERATOR("items"),
    HAMT_ITERATOR("keys"),
    HAMT_ITERATOR("values"),

    /* The rest */
    {.name = "InstructionSequence",
     .members = {VISITED(_PyInstructionSequence, s_nested, "nested"),
                 VISITED(_PyInstructionSequence, s_annotations_code,
                         "code of annotations")}},
    {.name = "InterpreterID"},
    {.name = "_tokenize.TokenizerIter", .visit = visit_tokenizer},
    {.name = "_ast.AST", /* 3.8 */
     .members = {VISITED(AST_object, dict, ".__dict__")}},
    {.name = "_typing._ConstEvaluator",
     .members = {VISITED(constevaluatorobject, value, "value")}},
    {.name = "ast.AST",
     .members = {OWN_TYPE, VISITED(AST_object, dict, ".__dict__")}},
    {.name = "lazy_import",
     .members = {VISITED(PyLazyImportObject, lz_builtins, "builtins"),
                 VISITED(PyLazyImportObject, lz_from, "module"),
                 VISITED(PyLazyImportObject, lz_attr, "names"),
                 VISITED(PyLazyImportObject, lz_code, "code")}},
    {.name = "sentinel",
     .members = {VISITED(sentinelobject, name, ".__name__"),
                 VISITED(sentinelobject, module, ".__module__"),
                 VISITED(sentinelobject, repr, "repr")}},
    {.name = "stderrprinter"},
    {.name = "symtable entry",
     .members = {OWNED(PySTEntryObject, ste_id, ".id"),
                 OWNED(PySTEntryObject, ste_name, ".name"),
                 OWNED(PySTEntryObject, ste_symbols, ".symbols"),
                 OWNED(PySTEntryObject, ste_varnames, ".varnames"),
                 OWNED(PySTEntryObject, ste_children, ".children"),
                 OWNED(PySTEntryObject, ste_directives, "directives"),
                 OWNED(PySTEntryObject, ste_mangled_names, "mangled names"),
                 OWNED(PySTEntryObject, ste_annotation_block, "annotations")}},
    {.name = "sys.legacy_event_handler"},
    {.name = "sys.monitoring.branch_event_handler",
     .members = {OWNED(_PyLegacyBranchEventHandler, handler, "handler")}},
    {.name = "types.GenericAlias",
     .members = {VISITED(gaobject, origin, ".__origin__"),
                 VISITED(gaobject, args, ".__args__"),
                 VISITED(gaobject, parameters, ".__parameters__")}},
    {.name = "types.SimpleNamespace",
     .members = {VISITED(_PyNamespaceObject, ns_dict, ".__dict__")}},
    {.name = "types.UnionType", .members = {UNION_MEMBERS}},

    /* Type parameters.  Their name counts among what is visited since 3.14. */
    {.name = "NoDefaultType"},
    {.name = "typing.Generic", .members = {OWN_TYPE}},
    {.name = "typing.ParamSpec",
     .members = {OWN_TYPE, NAME_MEMBER(paramspecobject),
                 VISITED(paramspecobject, bound, ".__bound__"),
                 VISITED(paramspecobject, default_value, ".__default__"),
                 VISITED(paramspecobject, evaluate_default,
                         ".evaluate_default")}},
    {.name = "typing.ParamSpecArgs",
     .members = {VISITED(paramspecattrobject, origin, ".__origin__")}},
    {.name = "typing.ParamSpecKwargs",
     .members = {VISITED(paramspecattrobject, origin, ".__origin__")}},
    {.name = "typing.TypeAliasType",
     .members = {NAME_MEMBER(typealiasobject),
                 VISITED(typealiasobject, qualname, ".__qualname__"),
                 VISITED(typealiasobject, type_params, ".__type_params__"),
                 VISITED(typealiasobject, compute_value, ".evaluate_value"),
                 VISITED(typealiasobject, value, ".__value__"),
                 VISITED(typealiasobject, module, ".__module__")}},
    {.name = "typing.TypeVar",
     .members = {OWN_TYPE, NAME_MEMBER(typevarobject),
                 VISITED(typevarobject, bound, ".__bound__"),
                 VISITED(typevarobject, evaluate_bound, ".evaluate_bound"),
                 VISITED(typevarobject, constraints, ".__constraints__"),
                 VISITED(typevarobject, evaluate_constraints,
                         ".evaluate_constraints"),
                 VISITED(typevarobject, default_value, ".__default__"),
                 VISITED(typevarobject, evaluate_default,
                         ".evaluate_default")}},
    {.name = "typing.TypeVarTuple",
     .members = {OWN_TYPE, NAME_MEMBER(typevartupleobject),
                 VISITED(typevartupleobject, bound, ".__bound__"),
                 VISITED(typevartupleobject, default_value, ".__default__"),
                 VISITED(typevartupleobject, evaluate_default,
                         ".evaluate_default")}},
    {.name = "typing.Union", /* types.UnionType until 3.13 */
     .members = {UNION_MEMBERS}},

    /* Template strings */
    {.name = "string.templatelib.Interpolation",
     .members = {VISITED(interpolationobject, value, ".value"),
                 VISITED(interpolationobject, expression, ".expression"),
                 VISITED(interpolationobject, conversion, ".conversion"),
                 VISITED(interpolationobject, format_spec, ".format_spec")}},
    {.name = "string.templatelib.Template",
     .members = {VISITED(templateobject, strings, ".strings"),
                 VISITED(templateobject, interpolations, ".interpolations")}},
    {.name = "string.templatelib.TemplateIter",
     .members = {VISITED(templateiterobject, stringsiter, "strings"),
                 VISITED(templateiterobject, interpolationsiter,
                         "interpolations")}},

    /* Named tuples in C, those of extension modules included. */
    STRUCTSEQ("UnraisableHookArgs"),
    STRUCTSEQ("_lsprof.profiler_entry"),
    STRUCTSEQ("_lsprof.profiler_subentry"),
    STRUCTSEQ("_thread._ExceptHookArgs"),
    STRUCTSEQ("asyncgen_hooks"),
    STRUCTSEQ("curses.ncurses_version"),
    STRUCTSEQ("grp.struct_group"),
    STRUCTSEQ("os.stat_result"),
    STRUCTSEQ("os.statvfs_result"),
    STRUCTSEQ("os.terminal_size"),
    STRUCTSEQ("posix.sched_param"),
    STRUCTSEQ("posix.times_result"),
    STRUCTSEQ("posix.uname_result"),
    STRUCTSEQ("posix.waitid_result"),
    STRUCTSEQ("pwd.struct_passwd"),
    STRUCTSEQ("resource.struct_rusage"),
    STRUCTSEQ("signal.struct_siginfo"),
    STRUCTSEQ("spwd.struct_spwd"),
    STRUCTSEQ("sys.flags"),
    STRUCTSEQ("sys.float_info"),
    STRUCTSEQ("sys.hash_info"),
    STRUCTSEQ("sys.int_info"),
    STRUCTSEQ("sys.thread_info"),
    STRUCTSEQ("sys.version_info"),
    STRUCTSEQ("time.struct_time"),

    {.name = NULL},
};
