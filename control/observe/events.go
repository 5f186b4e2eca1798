package observe

import (
	"fmt"

	"obvan/control"
)

// events are lines for the event log.
type events []control.LogEntry

func (e *events) add(level control.Level, format string, args ...any) {
	*e = append(*e, control.LogEntry{Level: level, Text: fmt.Sprintf(format, args...)})
}
