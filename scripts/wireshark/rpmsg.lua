-- SPDX-License-Identifier: BSD-2-Clause
--
-- Wireshark and tshark dissector for the capture files of rpmsg-sim and rpmsg-conform (link
-- type USER0).
--
--   tshark -X lua_script:scripts/wireshark/rpmsg.lua -r FILE
--   wireshark -X lua_script:scripts/wireshark/rpmsg.lua FILE
--
-- or copy it into the personal plugin folder (Help, About, Folders). The pseudo-header is
-- described in sim/daemon/capture.h, the messages in Linux drivers/rpmsg/.

local rpmsg = Proto("rpmsg", "Remote Processor Messaging")

local DIRECTIONS = { [0] = "host to remote", [1] = "remote to host" }
local QUEUES = { [0] = "host receives", [1] = "host sends", [255] = "none" }
local NOTE_VIOLATION, NOTE_FAULT, NOTE_DROP, NOTE_REMOTE, NOTE_SERVICE, NOTE_KIND = 1, 2, 3, 4, 5, 6
local NOTE_TEXT = 7
local NS_FLAGS = { [0] = "create", [1] = "destroy", [2] = "create, acknowledged (NuttX)" }
local ADDR_ANY, ADDR_NS = 0xffffffff, 53
local HDR_SIZE, NS_SIZE = 16, 40
local FLAG_BIG_ENDIAN, FLAG_NO_MESSAGE = 2, 8
local MATRIX_SIZE, MATRIX_ELEMENTS = 148, 36
local PING_HDR_SIZE = 16

local PING_COMMANDS = { [1] = "ping", [2] = "ping, check", [3] = "ping, no answer", [4] = "answer" }

local f = {
	version = ProtoField.uint8("rpmsg.capture.version", "Capture version"),
	direction = ProtoField.uint8("rpmsg.direction", "Direction", base.DEC, DIRECTIONS),
	header_len = ProtoField.uint16("rpmsg.capture.header_len", "Pseudo-header length"),
	queue = ProtoField.uint8("rpmsg.queue", "Queue", base.DEC, QUEUES),
	flags = ProtoField.uint8("rpmsg.capture.flags", "Capture flags", base.HEX),
	dropped = ProtoField.bool("rpmsg.dropped", "Dropped", 8, nil, 0x01),
	big_endian = ProtoField.bool("rpmsg.big_endian", "Big-endian", 8, nil, 0x02),
	indirect = ProtoField.bool("rpmsg.indirect", "Indirect descriptors", 8, nil, 0x04),
	no_message = ProtoField.bool("rpmsg.no_message", "No message", 8, nil, 0x08),
	desc_id = ProtoField.uint16("rpmsg.desc_id", "Descriptor"),
	desc_len = ProtoField.uint32("rpmsg.desc_len", "Descriptor bytes"),
	used_len = ProtoField.uint32("rpmsg.used_len", "Used length"),
	violation = ProtoField.string("rpmsg.violation", "Violation"),
	fault = ProtoField.string("rpmsg.fault", "Fault"),
	drop = ProtoField.string("rpmsg.drop", "Drop reason"),
	remote = ProtoField.string("rpmsg.remote", "Remote"),
	service = ProtoField.string("rpmsg.service", "Service"),
	kind = ProtoField.string("rpmsg.service.kind", "Kind of service"),
	note = ProtoField.string("rpmsg.note", "Note"),
	src = ProtoField.uint32("rpmsg.src", "Source", base.HEX_DEC),
	dst = ProtoField.uint32("rpmsg.dst", "Destination", base.HEX_DEC),
	reserved = ProtoField.uint32("rpmsg.reserved", "Reserved", base.HEX),
	len = ProtoField.uint16("rpmsg.len", "Payload length"),
	msg_flags = ProtoField.uint16("rpmsg.flags", "Flags", base.HEX),
	payload = ProtoField.bytes("rpmsg.payload", "Payload"),
	text = ProtoField.string("rpmsg.text", "Text"),
	ns_name = ProtoField.string("rpmsg.ns.name", "Name"),
	ns_addr = ProtoField.uint32("rpmsg.ns.addr", "Address", base.HEX_DEC),
	ns_flags = ProtoField.uint32("rpmsg.ns.flags", "Flags", base.HEX),
	number = ProtoField.uint64("rpmsg.source.number", "Message number"),
	counter = ProtoField.uint32("rpmsg.pingpong.counter", "Counter"),
	sdb_number = ProtoField.uint32("rpmsg.sdb.buffer", "Buffer"),
	sdb_addr = ProtoField.uint32("rpmsg.sdb.addr", "Address", base.HEX),
	sdb_len = ProtoField.uint32("rpmsg.sdb.len", "Length"),
	rows = ProtoField.uint32("rpmsg.matrix.size", "Matrix size"),
	element = ProtoField.uint32("rpmsg.matrix.element", "Element"),
	shutdown = ProtoField.uint32("rpmsg.demo.shutdown", "Shutdown word", base.HEX),
	ping_cmd = ProtoField.uint32("rpmsg.ping.command", "Command", base.DEC, PING_COMMANDS),
	ping_len = ProtoField.uint32("rpmsg.ping.len", "Length"),
	ping_cookie = ProtoField.uint64("rpmsg.ping.cookie", "Cookie", base.HEX),
}

local expert = {
	violation = ProtoExpert.new("rpmsg.expert.violation", "Violation",
		expert.group.PROTOCOL, expert.severity.ERROR),
	fault = ProtoExpert.new("rpmsg.expert.fault", "Fault injected",
		expert.group.PROTOCOL, expert.severity.NOTE),
	dropped = ProtoExpert.new("rpmsg.expert.dropped", "Not delivered",
		expert.group.SEQUENCE, expert.severity.WARN),
	truncated = ProtoExpert.new("rpmsg.expert.truncated", "Message ends before its length says",
		expert.group.MALFORMED, expert.severity.ERROR),
	ns_size = ProtoExpert.new("rpmsg.expert.ns_size", "Name-service message is not 40 bytes",
		expert.group.MALFORMED, expert.severity.WARN),
	unterminated = ProtoExpert.new("rpmsg.expert.unterminated", "Name without NUL",
		expert.group.MALFORMED, expert.severity.WARN),
}

rpmsg.fields = f
rpmsg.experts = expert

-- Names by the announcing side's address, learnt from name-service messages in this file; a
-- key is remote, direction of the announcement, address. Kinds of service likewise, from notes:
-- a service that leaves on a message is gone when that message is written down.
local names, known_kinds = {}, {}

function rpmsg.init()
	names, known_kinds = {}, {}
end

local function name_key(remote, direction, addr)
	return remote .. "/" .. direction .. "/" .. addr
end

local function is_text(range)
	local text = range:raw()
	return #text > 0 and not text:find("[^\9\10\13\32-\126]")
end

local function u32(range, big)
	return big and range:uint() or range:le_uint()
end

local function add(tree, field, range, big)
	return big and tree:add(field, range) or tree:add_le(field, range)
end

-- What is known of the payloads of a kind of service. Each gets the payload, the tree and the
-- byte order, and returns a few words for the list of packets, or nothing when it is foreign.
local kinds = {}

local function counter(range, tree, big)
	if range:len() ~= 4 then
		return
	end
	add(tree, f.counter, range, big)
	return "counter " .. u32(range, big)
end

kinds["nxp-pingpong"] = counter

kinds["openamp-demo"] = function(range, tree, big)
	if range:len() ~= 4 or u32(range, big) ~= 0xef56a55a then
		return counter(range, tree, big)
	end
	add(tree, f.shutdown, range, big)
	return "shutdown"
end

kinds["matrix"] = function(range, tree, big)
	local count = range:len() / MATRIX_SIZE

	if count ~= 1 and count ~= 2 then
		return kinds["openamp-demo"](range, tree, big)
	end
	for matrix = 0, count - 1 do
		local at = matrix * MATRIX_SIZE
		local item = add(tree, f.rows, range(at, 4), big)

		for i = 1, MATRIX_ELEMENTS do
			add(item, f.element, range(at + 4 * i, 4), big)
		end
	end
	return count == 2 and "two matrices" or "product"
end

kinds["nuttx-ping"] = function(range, tree, big)
	if range:len() < PING_HDR_SIZE then
		return
	end
	local command = u32(range(0, 4), big)

	add(tree, f.ping_cmd, range(0, 4), big)
	add(tree, f.ping_len, range(4, 4), big)
	add(tree, f.ping_cookie, range(8, 8), big)
	return PING_COMMANDS[command] or "command " .. command
end

kinds["source"] = function(range, tree, big)
	if range:len() < 8 then
		return
	end
	tree:add_le(f.number, range(0, 8))
	return "message " .. tostring(range(0, 8):le_uint64())
end

kinds["st-sdb"] = function(range, tree, big)
	local text = range:raw()
	local number, addr, len = text:match("^B(%d+)A(%x+)L(%x+)$")

	if not number then
		number, len = text:match("^B(%d+)L(%x+)$")
	end
	if not number then
		return
	end
	tree:add(f.sdb_number, range, tonumber(number))
	if addr then
		tree:add(f.sdb_addr, range, tonumber(addr, 16))
	end
	tree:add(f.sdb_len, range, tonumber(len, 16))
	return (addr and "buffer " or "full buffer ") .. number
end

-- Names of the field, for messages whose endpoint the simulator did not know; the payload decides
-- what the demo channel carries.
local channels = {
	["rpmsg-openamp-demo-channel"] = "matrix",
	["rpmsg-ping"] = "nuttx-ping",
	["rpmsg-sdb-channel"] = "st-sdb",
}

local function dissect_ns(range, tree, pinfo, big, remote, direction)
	local name_range = range(0, 32)
	local raw = name_range:raw()
	local zero = raw:find("\0", 1, true)
	local name = zero and raw:sub(1, zero - 1) or raw
	local addr = u32(range(32, 4), big)
	local flags = u32(range(36, 4), big)
	local subtree = tree:add(rpmsg, range, "Name service")
	local item = subtree:add(f.ns_name, name_range, name)

	if not zero then
		item:add_proto_expert_info(expert.unterminated)
	end
	add(subtree, f.ns_addr, range(32, 4), big)
	add(subtree, f.ns_flags, range(36, 4), big):append_text(
		" (" .. (NS_FLAGS[flags] or "unknown") .. ")")
	names[name_key(remote, direction, addr)] = flags % 2 == 0 and name or nil
	return string.format("%s \"%s\" at 0x%x", NS_FLAGS[flags] or "unknown flags", name, addr)
end

-- The payload of a service, as far as it is known; adds to the line in the list of packets.
local function dissect_payload(range, tree, big, service, kind, info)
	local dissect = kinds[kind or (service and channels[service])]
	local what = dissect and dissect(range, tree, big)

	if service then
		info = info .. ", " .. service
	end
	if what then
		return info .. ": " .. what
	end
	if is_text(range) then
		local text = range:raw()

		tree:add(f.text, range, text)
		info = info .. ": " .. text:sub(1, 40):gsub("[\r\n\t]", " ")
	end
	return info
end

local function dissect_message(range, tree, pinfo, direction, big, notes)
	if range:len() < HDR_SIZE then
		tree:add_proto_expert_info(expert.truncated)
		return string.format("short message, %d bytes", range:len())
	end
	local src, dst = u32(range(0, 4), big), u32(range(4, 4), big)
	local len = u32(range(12, 2), big)
	local have = range:len() - HDR_SIZE

	add(tree, f.src, range(0, 4), big)
	add(tree, f.dst, range(4, 4), big)
	add(tree, f.reserved, range(8, 4), big)
	local len_item = add(tree, f.len, range(12, 2), big)
	add(tree, f.msg_flags, range(14, 2), big)
	if have < len then
		len_item:add_proto_expert_info(expert.truncated)
	end
	pinfo.cols.src = string.format("0x%x", src)
	pinfo.cols.dst = dst == ADDR_ANY and "ANY" or string.format("0x%x", dst)
	-- the remote's end has the announced name: its source going out, its destination coming in
	local key = name_key(notes.remote, 1, direction == 1 and src or dst)
	known_kinds[key] = notes.kind or known_kinds[key]
	if dst == ADDR_NS and have >= NS_SIZE then
		local payload = range(HDR_SIZE, NS_SIZE)

		if have ~= NS_SIZE then
			tree:add_proto_expert_info(expert.ns_size)
		end
		return dissect_ns(payload, tree, pinfo, big, notes.remote, direction)
	end
	if dst == ADDR_NS then
		tree:add_proto_expert_info(expert.ns_size)
	end

	local info = string.format("0x%x -> 0x%x, %d bytes", src, dst, len)
	local service = notes.service or names[key]
	if service and not notes.service then
		tree:add(f.service, service):set_generated()
	end
	if have == 0 then
		return service and info .. ", " .. service or info
	end
	local payload = range(HDR_SIZE, have)
	return dissect_payload(payload, tree:add(f.payload, payload), big, service, known_kinds[key],
		info)
end

-- The notes between pseudo-header and message. Returns what they say, and marks for the list.
local function dissect_notes(tvb, header_len, pseudo)
	local notes, marks, at = { remote = "" }, {}, HDR_SIZE

	while at + 2 <= header_len do
		local kind, len = tvb(at, 1):uint(), tvb(at + 1, 1):uint()

		if at + 2 + len > header_len then
			pseudo:add_proto_expert_info(expert.truncated)
			break
		end
		local text = len > 0 and tvb(at + 2, len):raw() or ""
		local range = tvb(at, 2 + len)
		if kind == NOTE_VIOLATION then
			pseudo:add(f.violation, range, text):add_proto_expert_info(
				expert.violation, "Violation: " .. text)
			marks[#marks + 1] = "VIOLATION " .. text
		elseif kind == NOTE_FAULT then
			pseudo:add(f.fault, range, text):add_proto_expert_info(
				expert.fault, "Fault injected: " .. text)
			marks[#marks + 1] = "fault " .. text
		elseif kind == NOTE_DROP then
			pseudo:add(f.drop, range, text):add_proto_expert_info(
				expert.dropped, "Not delivered: " .. text)
			marks[#marks + 1] = "dropped, " .. text
		elseif kind == NOTE_REMOTE then
			pseudo:add(f.remote, range, text)
			notes.remote = text
		elseif kind == NOTE_SERVICE then
			pseudo:add(f.service, range, text)
			notes.service = text
		elseif kind == NOTE_KIND then
			pseudo:add(f.kind, range, text)
			notes.kind = text
		elseif kind == NOTE_TEXT then
			pseudo:add(f.note, range, text)
			notes.text = text
		end
		at = at + 2 + len
	end
	return notes, marks
end

function rpmsg.dissector(tvb, pinfo, root)
	pinfo.cols.protocol = "RPMSG"
	if tvb:len() < 16 or tvb(0, 1):uint() ~= 1 then
		pinfo.cols.info = "not a capture of rpmsg-sim, or of a later version"
		return 0
	end
	local header_len = tvb(2, 2):le_uint()
	local direction = tvb(1, 1):uint()
	local flags = tvb(5, 1):uint()
	local big = flags % (2 * FLAG_BIG_ENDIAN) >= FLAG_BIG_ENDIAN
	local no_message = flags % (2 * FLAG_NO_MESSAGE) >= FLAG_NO_MESSAGE
	local tree = root:add(rpmsg, tvb())

	if header_len < 16 or header_len > tvb:len() then
		tree:add_proto_expert_info(expert.truncated)
		return tvb:len()
	end
	local pseudo = tree:add(rpmsg, tvb(0, header_len), "Transport")
	pseudo:add(f.version, tvb(0, 1))
	pseudo:add(f.direction, tvb(1, 1))
	pseudo:add_le(f.header_len, tvb(2, 2))
	pseudo:add(f.queue, tvb(4, 1))
	local flag_tree = pseudo:add(f.flags, tvb(5, 1))
	for _, flag in ipairs({ f.dropped, f.big_endian, f.indirect, f.no_message }) do
		flag_tree:add(flag, tvb(5, 1))
	end
	pseudo:add_le(f.desc_id, tvb(6, 2))
	pseudo:add_le(f.desc_len, tvb(8, 4))
	pseudo:add_le(f.used_len, tvb(12, 4))

	local notes, marks = dissect_notes(tvb, header_len, pseudo)
	local info = notes.text or ""
	if not no_message then
		info = tvb:len() > header_len
			and dissect_message(tvb(header_len), tree, pinfo, direction, big, notes)
			or "empty message"
	end
	for _, mark in ipairs(marks) do
		info = (info == "" and "" or info .. "  ") .. "[" .. mark .. "]"
	end
	pinfo.cols.info = info
	return tvb:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, rpmsg)
