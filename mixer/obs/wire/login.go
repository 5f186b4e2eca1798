package wire

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/andreykaipov/goobs/api/closecodes"
	"github.com/andreykaipov/goobs/api/opcodes"
	"github.com/gorilla/websocket"
)

// Operations of the protocol; goobs has no types for the batch's.
const (
	opHello         = 0
	opIdentified    = 2
	opEvent         = 5
	opResponse      = 7
	opBatch         = 8
	opBatchResponse = 9
)

const rpcVersion = 1

// login answers the Hello. Events may arrive before OBS confirms the login.
func (c *Conn) login() error {
	c.ws.SetReadDeadline(time.Now().Add(loginTime))
	var hello opcodes.Hello
	if err := c.await(opHello, &hello); err != nil {
		return err
	}
	if hello.RPCVersion < rpcVersion {
		return fmt.Errorf("this OBS uses version %d of the protocol, not %d", hello.RPCVersion, rpcVersion)
	}
	c.version = hello.ObsWebSocketVersion
	id := &opcodes.Identify{RPCVersion: rpcVersion, EventSubscriptions: c.opts.Subscriptions}
	if challenge := hello.Authentication; challenge.Challenge != "" {
		id.Authentication = Proof(c.opts.Password, challenge.Salt, challenge.Challenge)
	}
	c.ws.SetWriteDeadline(time.Now().Add(writeTime))
	if err := c.ws.WriteMessage(websocket.TextMessage, opcodes.Wrap(id).Bytes()); err != nil {
		return err
	}
	return c.await(opIdentified, &opcodes.Identified{})
}

// await reads up to the first message of an operation.
func (c *Conn) await(op int, into any) error {
	for {
		_, raw, err := c.ws.ReadMessage()
		if err != nil {
			return socketError(err)
		}
		var msg opcodes.Message
		if err := json.Unmarshal(raw, &msg); err != nil {
			return fmt.Errorf("the server there is not OBS: %w", err)
		}
		switch msg.Op {
		case op:
			return json.Unmarshal(msg.D, into)
		case opEvent:
			c.event(msg.D)
		}
	}
}

// Proof is the answer to a challenge: base64(sha256(base64(sha256(password+salt))+challenge)).
func Proof(password, salt, challenge string) string {
	secret := sha256.Sum256([]byte(password + salt))
	proof := sha256.Sum256([]byte(base64.StdEncoding.EncodeToString(secret[:]) + challenge))
	return base64.StdEncoding.EncodeToString(proof[:])
}

// Subscribe changes which events OBS sends, and waits for its confirmation.
func (c *Conn) Subscribe(ctx context.Context, subscriptions int) error {
	if c.subs.Swap(int64(subscriptions)) == int64(subscriptions) {
		return nil
	}
	select { // a late confirmation of an earlier call
	case <-c.identified:
	default:
	}
	if err := c.send(ctx, opcodes.Wrap(&opcodes.Reidentify{EventSubscriptions: subscriptions}).Bytes()); err != nil {
		return err
	}
	select {
	case <-c.identified:
		return nil
	case <-c.end.done:
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// socketError turns a socket's error into one of ours.
func socketError(err error) error {
	var closed *websocket.CloseError
	var slow net.Error
	switch {
	case errors.As(err, &closed) && closed.Code == closecodes.AuthenticationFailed:
		return ErrPassword
	case errors.As(err, &closed) && closed.Code == closecodes.SessionInvalidated:
		return ErrKicked
	case errors.As(err, &slow) && slow.Timeout():
		return ErrSilent
	}
	return fmt.Errorf("%w: %w", ErrClosed, err)
}
