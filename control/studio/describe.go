package studio

import (
	"obvan/control"
	"obvan/control/args"
)

// Describe is the command table for clients.
func Describe() []control.Description {
	table := Commands()
	all := make([]control.Description, len(table))
	for i, c := range table {
		all[i] = control.Description{Name: c.Name, Role: c.Role, Doc: c.Doc, Args: []control.Argument{}}
		for _, f := range args.Fields(c.Args) {
			all[i].Args = append(all[i].Args, control.Argument{Name: f.Name, Type: args.TypeName(f.Type), Required: f.Required})
		}
	}
	return all
}
