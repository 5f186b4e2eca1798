// Package piped starts child processes that read from one pipe and write to another.
package piped

import (
	"errors"
	"os"
	"os/exec"
)

// Start starts cmd. The pipes are *os.File, so writes can have a deadline.
func Start(cmd *exec.Cmd) (in, out *os.File, err error) {
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer stdin.Close()
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(err, in.Close())
	}
	defer stdout.Close()
	cmd.Stdin, cmd.Stdout = stdin, stdout
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(err, in.Close(), out.Close())
	}
	return in, out, nil
}
