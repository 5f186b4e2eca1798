// Package piped starts children that are fed by one pipe and read from another.
package piped

import (
	"errors"
	"os"
	"os/exec"
)

// Start starts cmd. The pipes are files, so writing to one can time out.
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
