// Package sock asks the system about TCP connections: how much of what was written
// the far end has not taken yet.
package sock
