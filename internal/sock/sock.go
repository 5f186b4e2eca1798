// Package sock sets and reads TCP socket options, above all how much of what was
// written the remote end has not acknowledged yet.
package sock
