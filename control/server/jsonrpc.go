package server

import (
	"bytes"
	"encoding/json"
	"errors"

	"obvan/control"
)

// The numbers of JSON-RPC 2.0, section 5.1. Our error code is in data.code.
const (
	rpcParse    = -32700
	rpcInvalid  = -32600
	rpcUnknown  = -32601
	rpcArgs     = -32602
	rpcInternal = -32603
	rpcOurs     = -32000
)

const maxID = 128

// request is a command as it comes by websocket.
type request struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"` // none: no reply is expected
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// notification is a message that a client did not request.
type notification struct {
	Version string `json:"jsonrpc"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

// rpcError is the error of a JSON-RPC response.
type rpcError struct {
	Code    int           `json:"code"`
	Message string        `json:"message"`
	Data    *rpcErrorData `json:"data,omitempty"`
}

type rpcErrorData struct {
	Code control.ErrorCode `json:"code"`
}

type response struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result"`
}

type failure struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   *rpcError       `json:"error"`
}

// parseRequest reads one message. With an error the request still has its id, when there was
// a valid one.
func parseRequest(message []byte) (req request, f *rpcError) {
	bad := func(code int, text string) *rpcError { return &rpcError{code, text, &rpcErrorData{control.BadRequest}} }
	if bytes.HasPrefix(bytes.TrimSpace(message), []byte("[")) {
		return request{ID: json.RawMessage("null")}, bad(rpcInvalid, "batches are not supported: send one request per message")
	}
	if !json.Valid(message) {
		return request{ID: json.RawMessage("null")}, bad(rpcParse, "this is not JSON")
	}
	if err := json.Unmarshal(message, &req); err != nil {
		if !goodID(req.ID) {
			req.ID = json.RawMessage("null")
		}
		return req, bad(rpcInvalid, "this is not a JSON-RPC request")
	}
	switch {
	case req.ID != nil && !goodID(req.ID):
		req.ID = json.RawMessage("null")
		return req, bad(rpcInvalid, "id must be a short string or a number")
	case req.Version != "2.0":
		return req, bad(rpcInvalid, `jsonrpc must be "2.0"`)
	case req.Method == "":
		return req, bad(rpcInvalid, "method is missing")
	}
	return req, nil
}

// goodID reports whether id is one that JSON-RPC allows, and short.
func goodID(id json.RawMessage) bool {
	return len(id) > 0 && len(id) <= maxID && id[0] != '{' && id[0] != '[' && id[0] != 't' && id[0] != 'f'
}

// reply answers a request that expects a reply.
func (k *socket) reply(id json.RawMessage, result any, err error) {
	if err == nil {
		k.enqueue(id, response{"2.0", id, result})
		return
	}
	code, _ := control.Code(err)
	number := map[control.ErrorCode]int{control.BadRequest: rpcArgs, control.Internal: rpcInternal}[code]
	switch {
	case errors.Is(err, control.ErrUnknown):
		number = rpcUnknown
	case number == 0:
		number = rpcOurs
	}
	k.replyFault(id, &rpcError{number, k.server.cfg.Studio.Redact(control.Message(err)), &rpcErrorData{code}})
}

func (k *socket) replyFault(id json.RawMessage, f *rpcError) { k.enqueue(id, failure{"2.0", id, f}) }

// enqueue hands a reply to the writer. A client that does not read its replies is closed:
// they can't wait forever.
func (k *socket) enqueue(id json.RawMessage, answer any) {
	if id == nil {
		return
	}
	b, err := json.Marshal(answer)
	if err != nil {
		k.server.log.Error("a reply can't be marshalled", "err", err)
		return
	}
	select {
	case k.replies <- b:
	default:
		k.close(closePolicy, "the replies are not read")
	}
}
