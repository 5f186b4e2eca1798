// Package edge is the server side of RTMP connections, for ingest and for play-out: it
// accepts connections, limits what each may cost, finds out which stream the client
// requests to publish or play, and moves the media.
//
// # Why it exists
//
// The RTMP library, go-rtmp, does the handshake and answers connect, createStream,
// publish and play. It must not read a client's bytes: it takes memory for lengths that
// a client only claims, has no limit on message size, nesting or time, drops connections
// over messages that real encoders send, and allocates for each media message. So the
// library is kept for what it does well, and the edge stands between it and the network.
//
// # How go-rtmp is handed the edge as its connection
//
// go-rtmp accepts from a net.Listener and asks OnConnect for the io.ReadWriteCloser to
// use. Both are ours: the listener is connListener, a channel of connections that have
// sent the first half of a handshake, and the ReadWriteCloser is conn, which holds the
// real TCP or TLS connection. go-rtmp calls conn.Read, conn.Write and conn.Close, and
// never sees the socket.
//
//	client                      edge                                 go-rtmp
//	C0 C1 C2  ---------> conn.Read, unchanged          --------->  handshake
//	          <--------- conn.Write, collected, sent   <---------  S0 S1 S2
//	commands  ---------> rtmp.Reader, amf0, rewritten  --------->  connect, createStream,
//	                                                               publish, play only
//	          <--------- Out (one rtmp.Writer)         <---------  _result, onStatus
//	audio, video, data > rtmp.Reader > Sink                        (never sees them)
//	          <--------- Out < Player                              (never sees them)
//	acks, pings, chunk sizes: answered by the edge                 (never sees them)
//
// Towards go-rtmp: after the handshake conn.Read returns chunks that the edge itself has
// written. It reads messages from the client until one is a command that matters, decodes
// it within limits, and writes a new one with only the values go-rtmp needs. Stream names
// and keys stay here, in bridge; go-rtmp's OnPublish and OnPlay then ask the Handlers
// about them.
//
// Towards the client: go-rtmp's Write is parsed into messages again, and these are sent
// through Out like the edge's own messages and the media of a Player. Chunk headers refer
// back to earlier headers, so each direction must have exactly one writer of them.
//
// # Goroutines of one connection
//
//   - awaitHandshake waits for the first half of the handshake (a stalled client costs a
//     goroutine and two kilobytes, not go-rtmp's buffers), passes the connection on, ends.
//   - go-rtmp's reading goroutine calls conn.Read and conn.Close, and with them everything
//     on the reading side: the Handlers, Sink.Message, Sink.Close.
//   - go-rtmp's writing goroutine calls conn.Write.
//   - a Player runs on a goroutine of its own, started when Play.Start has been sent.
//
// The last two and the reading side's answers to pings share Out, whose mutex is held
// during a write. It belongs to one connection: a stalled client delays nobody else.
// Server.mu guards the set of connections only and is never held during I/O.
//
// # Limits
//
// Connections: 1024 in all, 256 per address; one more replaces the oldest that neither
// publishes nor plays. Time: 5 s for the handshake, 10 s from there to publish or play,
// Options.PeerTimeout without media while publishing, 10 s for a write. Memory: those of
// rtmp.Reader (16 chunk streams, commands of 64 KiB, media messages of 8 MiB; unfinished
// messages 16 MiB in all, 128 KiB before publish is accepted), those of amf0 (nesting,
// array sizes), and 8 createStream calls.
//
// # Files
//
// edge.go: what a user of the package provides and gets. server.go: accepting, limits,
// shutdown. conn.go: the reading side. gortmp.go: the exchange with go-rtmp. output.go:
// the writing side and players.
package edge
