package control

// Description is a command of the table as GET /api/v1/commands tells it.
type Description struct {
	Name string     `json:"name"`
	Role Role       `json:"role"`
	Doc  string     `json:"doc"`
	Args []Argument `json:"args"`
}

// Argument is an argument of a command.
type Argument struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // in words
	Required bool   `json:"required"`
}

func describe(table []Command) []Description {
	all := make([]Description, len(table))
	for i, c := range table {
		all[i] = Description{c.Name, c.Role, c.Doc, []Argument{}}
		for _, f := range fieldsOf(c.Args) {
			all[i].Args = append(all[i].Args, Argument{f.name, words(f.typ), f.required})
		}
	}
	return all
}
