/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/rpc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "daemon/events.h"
#include "daemon/methods.h"

/* How much of a foreign name goes into a message. */
#define QUOTE_MAX 64

/* Reals from here on cannot have been 64-bit integers. */
#define INTEGER_LIMIT 9223372036854775808.0

json_t *rpc_error(json_t *id, int code, const char *text)
{
	return json_pack("{s:s, s:O?, s:{s:i, s:o}}", "jsonrpc", "2.0", "id", id ? id : json_null(),
			 "error", "code", code, "message", events_text(text));
}

static json_t *call_error(json_t *id, const struct method_call *call)
{
	json_t *reply = rpc_error(id, call->code, call->text);

	if (call->errno_name)
		json_object_set_new(json_object_get(reply, "error"), "data",
				    json_pack("{s:s}", "errno", call->errno_name));
	return reply;
}

/* ---- text to JSON ----------------------------------------------------------------------- */

/* The parser recurses, so depth is looked at before it starts. */
static bool too_deep(const char *line, size_t size)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < size; i++) {
		if (quoted && line[i] == '\\')
			i++;
		else if (line[i] == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (line[i] == '{' || line[i] == '[')
			depth++;
		else if (line[i] == '}' || line[i] == ']')
			depth--;
		if (depth > RPC_MAX_DEPTH)
			return true;
	}
	return false;
}

/*
 * The parser knows integers up to 64 bits and gives up on a longer one. It is a number all
 * the same, only out of every range: find out which parameter it stands in, and answer as to
 * any other number that is too big.
 */
static json_t *number_error(const char *line, size_t size, const char *parse_error)
{
	json_t *root = json_loadb(line, size, JSON_DECODE_INT_AS_REAL, NULL);
	json_t *id = json_object_get(root, "id"), *value, *reply = NULL;
	json_t *number = json_is_real(id) && fabs(json_real_value(id)) < INTEGER_LIMIT
				 ? json_integer((json_int_t)json_real_value(id))
				 : NULL;
	char text[QUOTE_MAX + 64];
	const char *key;

	json_object_foreach(json_object_get(root, "params"), key, value)
	{
		if (!json_is_real(value) || fabs(json_real_value(value)) < INTEGER_LIMIT)
			continue;
		snprintf(text, sizeof(text), "params.%.*s: the number is out of range", QUOTE_MAX,
			 key);
		reply = rpc_error(number ? number : id, RPC_INVALID_PARAMS, text);
		break;
	}
	json_decref(number);
	json_decref(root);
	return reply ? reply : rpc_error(NULL, RPC_PARSE_ERROR, parse_error);
}

/* The request, or NULL and *reply set. */
static json_t *parse(const char *line, size_t size, json_t **reply)
{
	json_error_t error;
	json_t *root;
	char text[JSON_ERROR_TEXT_LENGTH + 64];

	if (too_deep(line, size)) {
		snprintf(text, sizeof(text), "parse error: more than %d levels of brackets",
			 RPC_MAX_DEPTH);
		*reply = rpc_error(NULL, RPC_PARSE_ERROR, text);
		return NULL;
	}
	root = json_loadb(line, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (root)
		return root;
	snprintf(text, sizeof(text), "parse error at byte %d: %s", error.position, error.text);
	if (json_error_code(&error) == json_error_numeric_overflow)
		*reply = number_error(line, size, text);
	else
		*reply = rpc_error(NULL, RPC_PARSE_ERROR, text);
	return NULL;
}

/* ---- the request around the parameters -------------------------------------------------- */

/* What is wrong with the request itself, or NULL. */
static const char *request_fault(json_t *root)
{
	static const char *const members[] = {"jsonrpc", "id", "method", "params"};
	const char *version = json_string_value(json_object_get(root, "jsonrpc"));
	json_t *id = json_object_get(root, "id"), *value;
	const char *key;

	if (json_is_array(root))
		return "batches are not served: send one request a line";
	if (!json_is_object(root))
		return "a request is an object";
	json_object_foreach(root, key, value)
	{
		size_t i = 0;

		while (i < 4 && strcmp(members[i], key) != 0)
			i++;
		if (i == 4)
			return "a request has the members jsonrpc, id, method and params only";
	}
	if (!version || strcmp(version, "2.0") != 0)
		return "jsonrpc has to be \"2.0\"";
	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return "id has to be a string, a number or null";
	if (!json_is_string(json_object_get(root, "method")))
		return "method has to be a string";
	return NULL;
}

/* ---- parameters ------------------------------------------------------------------------- */

static int bad_param(struct method_call *call, const struct method_param *param, const char *what)
{
	return method_fail(call, RPC_INVALID_PARAMS,
			   "params.%s: has to be %s %" PRIu64 " to %" PRIu64 "%s", param->name,
			   what, param->min, param->max,
			   param->type == PARAM_NUMBER	  ? ""
			   : param->type == PARAM_STRINGS ? " strings"
							  : " bytes");
}

static bool in_range(const struct method_param *param, uint64_t value)
{
	return value >= param->min && value <= param->max;
}

static int check_number(struct method_call *call, const struct method_param *param, json_t *value,
			struct method_arg *arg)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || !in_range(param, (uint64_t)number))
		return bad_param(call, param, "an integer from");
	arg->number = (uint64_t)number;
	return 0;
}

static bool is_choice(const char *choices, const char *word)
{
	size_t length = strlen(word), part;

	for (; *choices; choices += part + (choices[part] == '|')) {
		part = strcspn(choices, "|");
		if (part == length && memcmp(choices, word, length) == 0)
			return true;
	}
	return false;
}

static int check_string(struct method_call *call, const struct method_param *param, json_t *value,
			struct method_arg *arg)
{
	if (!json_is_string(value) || !in_range(param, json_string_length(value)))
		return bad_param(call, param, "a string of");
	arg->string = json_string_value(value);
	if (param->choices && !is_choice(param->choices, arg->string))
		return method_fail(call, RPC_INVALID_PARAMS, "params.%s: has to be one of %s",
				   param->name, param->choices);
	return 0;
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

static int check_bytes(struct rpc *rpc, struct method_call *call, const struct method_param *param,
		       json_t *value, struct method_arg *arg)
{
	const char *text = json_string_value(value);
	size_t length = json_string_length(value);

	if (!text || length % 2 || !in_range(param, length / 2) || length / 2 > sizeof(rpc->bytes))
		return bad_param(call, param, "a string of hexadecimal digits, two a byte, for");
	for (size_t i = 0; i < length; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return method_fail(call, RPC_INVALID_PARAMS,
					   "params.%s: byte %zu is not two hexadecimal digits",
					   param->name, i / 2);
		rpc->bytes[i / 2] = (uint8_t)(high << 4 | low);
	}
	arg->bytes = rpc->bytes;
	arg->size = length / 2;
	return 0;
}

static int check_strings(struct method_call *call, const struct method_param *param, json_t *value,
			 struct method_arg *arg)
{
	size_t index;
	json_t *item;

	if (!json_is_array(value) || !in_range(param, json_array_size(value)))
		return bad_param(call, param, "an array of");
	json_array_foreach(value, index, item)
	{
		if (!json_is_string(item))
			return method_fail(call, RPC_INVALID_PARAMS,
					   "params.%s[%zu]: has to be a string", param->name,
					   index);
	}
	arg->strings = value;
	return 0;
}

static int check_bool(struct method_call *call, const struct method_param *param, json_t *value,
		      struct method_arg *arg)
{
	if (!json_is_boolean(value))
		return method_fail(call, RPC_INVALID_PARAMS, "params.%s: has to be true or false",
				   param->name);
	arg->number = json_is_true(value);
	return 0;
}

static int check_param(struct rpc *rpc, struct method_call *call, const struct method_param *param,
		       json_t *value, struct method_arg *arg)
{
	arg->given = true;
	switch (param->type) {
	case PARAM_NUMBER:
		return check_number(call, param, value, arg);
	case PARAM_STRING:
		return check_string(call, param, value, arg);
	case PARAM_BYTES:
		return check_bytes(rpc, call, param, value, arg);
	case PARAM_STRINGS:
		return check_strings(call, param, value, arg);
	case PARAM_BOOL:
		return check_bool(call, param, value, arg);
	}
	return method_fail(call, RPC_INTERNAL_ERROR, "params.%s: unknown type", param->name);
}

static bool has_param(const struct method *method, const char *name)
{
	if (!method->global && strcmp(method_remote_param()->name, name) == 0)
		return true;
	for (const struct method_param *param = method->params; param->name; param++) {
		if (strcmp(param->name, name) == 0)
			return true;
	}
	return false;
}

/* Which remote is meant; the first when none is named. */
static int choose_remote(struct method_call *call, json_t *value)
{
	const char *name = json_string_value(value);

	if (name)
		call->instance = registry_find(call->registry, name);
	else if (!call->instance)
		call->instance = call->registry->first;
	call->remote_given = value != NULL;
	if (value && !name)
		return method_fail(call, RPC_INVALID_PARAMS, "params.remote: has to be a string");
	if (!call->instance)
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params.remote: there is no remote \"%.*s\": \"remotes\" lists "
				   "them",
				   QUOTE_MAX, name ? name : "");
	return 0;
}

int rpc_check(struct rpc *rpc, struct method_call *call, const struct method *method,
	      json_t *params)
{
	const char *key;
	json_t *value;

	if (params && !json_is_object(params))
		return method_fail(call, RPC_INVALID_PARAMS,
				   "params: has to be an object with the parameters by name");
	json_object_foreach(params, key, value)
	{
		if (!has_param(method, key))
			return method_fail(call, RPC_INVALID_PARAMS,
					   "params.%.*s: the method %s has no such parameter",
					   QUOTE_MAX, key, method->name);
	}
	for (unsigned int i = 0; method->params[i].name; i++) {
		const struct method_param *param = &method->params[i];

		value = json_object_get(params, param->name);
		if (!value && param->required)
			return method_fail(call, RPC_INVALID_PARAMS, "params.%s: is missing",
					   param->name);
		if (value && check_param(rpc, call, param, value, &call->args[i]))
			return -1;
	}
	return method->check ? method->check(call) : 0;
}

int rpc_call(struct rpc *rpc, struct method_call *call, const struct method *method, json_t *params)
{
	if (rpc_check(rpc, call, method, params))
		return -1;
	if (!method->global &&
	    choose_remote(call, json_object_get(params, method_remote_param()->name)))
		return -1;
	return method->handle(call);
}

/* ---- serving ---------------------------------------------------------------------------- */

static int run(struct rpc *rpc, struct method_call *call, const char *name, json_t *params)
{
	const struct method *method = method_find(name);

	if (!method)
		return method_fail(call, RPC_METHOD_NOT_FOUND,
				   "there is no method \"%.*s\": \"help\" lists them", QUOTE_MAX,
				   name);
	return rpc_call(rpc, call, method, params);
}

static json_t *serve_object(struct rpc *rpc, void *client, json_t *root)
{
	struct method_call call = {
		.registry = rpc->registry, .subscribe = rpc->subscribe, .subscribe_ctx = client};
	const char *fault = request_fault(root);
	json_t *id = json_object_get(root, "id"), *reply = NULL;
	int ret;

	if (fault)
		return rpc_error(json_is_string(id) || json_is_number(id) ? id : NULL,
				 RPC_INVALID_REQUEST, fault);
	ret = run(rpc, &call, json_string_value(json_object_get(root, "method")),
		  json_object_get(root, "params"));
	if (id && ret)
		reply = call_error(id, &call);
	else if (id)
		reply = json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "id", id, "result",
				  call.result);
	json_decref(call.result);
	return reply;
}

json_t *rpc_serve(struct rpc *rpc, void *client, const char *line, size_t size)
{
	json_t *reply = NULL, *root = parse(line, size, &reply);

	if (!root)
		return reply;
	reply = serve_object(rpc, client, root);
	json_decref(root);
	return reply;
}
