// Package rtmptest is a small RTMP client for tests: it sends what a test needs, valid or
// not, and reads the replies.
package rtmptest

import (
	"io"
	"net"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media/amf0"
	"obvan/media/rtmp"
)

// Stream is the message stream that a server returns for the first createStream.
const Stream = 1

// Client is a connection after its handshake.
type Client struct {
	t testing.TB
	net.Conn
	W *rtmp.Writer
	R *rtmp.Reader
}

// Dial connects and does the handshake. The connection is closed when the test ends, and
// times out after a minute.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return Handshake(t, conn)
}

// Handshake is Dial on an existing connection.
func Handshake(t testing.TB, conn net.Conn) *Client {
	t.Helper()
	conn.SetDeadline(time.Now().Add(time.Minute))
	hello := make([]byte, 1+2*1536)
	hello[0] = 3
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, hello); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	return &Client{t: t, Conn: conn, W: rtmp.NewWriter(conn), R: rtmp.NewReader(conn)}
}

// Send sends a command on a message stream.
func (c *Client) Send(stream uint32, values ...any) {
	c.W.Command(stream, values...)
	c.Flush()
}

// Flush sends what is queued in W. A closed connection is not reported here: a test
// notices it when it reads.
func (c *Client) Flush() { c.W.Flush() }

// Connect sends connect and createStream and waits for the message stream.
func (c *Client) Connect(app string) {
	c.t.Helper()
	c.W.SetChunkSize(rtmp.ChunkSize)
	c.Send(0, "connect", 1, amf0.Object{{Name: "app", Value: app}, {Name: "tcUrl", Value: "rtmp://test/" + app}})
	c.Send(0, "createStream", 2, nil)
	for {
		name, args, err := c.Command()
		if err != nil {
			c.t.Fatalf("no message stream: %v", err)
		}
		if name == "_result" && len(args) > 3 && args[1] == 2.0 {
			if args[3] != float64(Stream) {
				c.t.Fatalf("the first message stream is %v", args[3])
			}
			return
		}
	}
}

// Publish requests to publish name and returns the status reply.
func (c *Client) Publish(name string) (code, description string) {
	c.t.Helper()
	c.Send(Stream, "publish", 3, nil, name, "live")
	return c.Status()
}

// Play requests to play name and returns the status reply.
func (c *Client) Play(name string) (code, description string) {
	c.t.Helper()
	c.Send(Stream, "play", 3, nil, name, -2000)
	return c.Status()
}

// Status is the code and the description of the next onStatus; the code is "" when the
// connection ends first.
func (c *Client) Status() (code, description string) {
	for {
		name, args, err := c.Command()
		if err != nil {
			return "", err.Error()
		}
		if name == "onStatus" && len(args) > 3 {
			about, _ := args[3].(amf0.Object)
			return about.String("code"), about.String("description")
		}
	}
}

// Command reads the next command from the server.
func (c *Client) Command() (name string, args []any, err error) {
	for {
		m, err := c.R.Read()
		if err != nil {
			return "", nil, err
		}
		if m.Type != rtmp.TypeCommand {
			continue
		}
		args, err := amf0.Decode(m.Payload)
		if len(args) > 0 {
			name, _ = args[0].(string)
		}
		return name, args, err
	}
}

// Media sends an audio or video message.
func (c *Client) Media(t rtmp.Type, at uint32, body []byte) {
	chunks := uint8(rtmp.ChunksVideo)
	if t == rtmp.TypeAudio {
		chunks = rtmp.ChunksAudio
	}
	c.W.Add(rtmp.Header{Chunks: chunks, Type: t, Stream: Stream, Timestamp: at}, nil, body)
	c.Flush()
}

// Raw sends bytes as they are.
func (c *Client) Raw(b []byte) { c.Conn.Write(b) }

// Disconnected reports whether the server closes the connection within a time.
func (c *Client) Disconnected(within time.Duration) bool {
	c.SetReadDeadline(time.Now().Add(testkit.Allow(within)))
	_, err := io.Copy(io.Discard, c.Conn)
	timeout, _ := err.(net.Error)
	return timeout == nil || !timeout.Timeout()
}
