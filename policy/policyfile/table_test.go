package policyfile

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/policy"
)

func TestTheTableHasEveryFieldOfASet(t *testing.T) {
	tests := []struct {
		object  *object
		of      reflect.Type
		without string
	}{
		{rootObject, reflect.TypeFor[policy.Set](), ""},
		{profileObject, reflect.TypeFor[policy.Profile](), "BackOff"}, // a function
		{budgetObject, reflect.TypeFor[policy.Budget](), ""},
		{breakerObject, reflect.TypeFor[policy.Breaker](), ""},
		{gateObject, reflect.TypeFor[policy.Gate](), ""},
	}
	for _, tt := range tests {
		rows := make(map[string]*field)
		for _, f := range tt.object.fields {
			rows[f.goName] = f
		}
		for f := range tt.of.Fields() {
			switch goName := f.Name; {
			case goName == tt.without:
			case rows[goName] == nil:
				t.Errorf("%s has no row for %s.%s", tt.object.title, tt.of, goName)
			default:
				delete(rows, goName)
			}
		}
		for goName, f := range rows {
			if goName != "Schema" && goName != "Extends" {
				t.Errorf("%s has a row %s, want none: %s has no field %s", tt.object.title, f.name, tt.of, goName)
			}
		}
		for _, f := range tt.object.fields {
			if !strings.HasSuffix(f.doc, ".") || strings.ContainsAny(f.doc, "\n\t") {
				t.Errorf("%s.%s: got %q, want sentences in one line", tt.object.title, f.name, f.doc)
			}
			if field, ok := tt.of.FieldByName(f.goName); ok && (field.Type == reflect.TypeFor[time.Duration]()) != (f.shape == duration) {
				t.Errorf("%s.%s: a %s, and only that, is written as a duration", tt.object.title, f.name, field.Type)
			}
		}
	}
}

// withNumber returns a valid set with one number of it changed.
func withNumber(o *object, f *field, value float64) (policy.Set, bool) {
	s := policy.Default()
	p := s.Profiles[classify.Network]
	in := map[*object]reflect.Value{
		rootObject: reflect.ValueOf(&s).Elem(), profileObject: reflect.ValueOf(&p).Elem(), budgetObject: reflect.ValueOf(&s.Budget).Elem(),
		breakerObject: reflect.ValueOf(&s.Breakers[0]).Elem(), gateObject: reflect.ValueOf(&s.Gate).Elem(),
	}[o].FieldByName(f.goName)
	switch {
	case in.CanInt():
		in.SetInt(int64(value))
	case in.CanFloat():
		in.SetFloat(value)
	default:
		return s, false
	}
	s.Profiles[classify.Network] = p
	return s, true
}

func TestBoundsOfTheSchemaRefuseNothingThatIsValid(t *testing.T) {
	count := 0
	for _, o := range objects {
		for _, f := range o.fields {
			for keyword, bound := range f.bounds {
				limit, _ := bound.(float64)
				beyond := limit - 1
				if keyword == "maximum" {
					beyond = limit + 1
				}
				s, ok := withNumber(o.object, f, beyond)
				if !ok {
					t.Errorf("%s%s has bounds, want none: it is no number", o.path, f.name)
					continue
				}
				count++
				if s.Validate() == nil {
					t.Errorf("%s%s: %v is valid, want the schema to allow it", o.path, f.name, beyond)
				}
			}
		}
	}
	if count < 15 {
		t.Errorf("got %d bounds, want all of them", count)
	}
}

func TestBoundsOfTheSchemaAreAsNarrowAsThoseOfValidate(t *testing.T) {
	// Where a bound holds only as long as something else is set, the schema has the wider one.
	wider := map[string]bool{"profiles.<kind>.multiplier minimum": true, "gate.window minimum": true}
	for _, o := range objects {
		for _, f := range o.fields {
			for keyword, bound := range f.bounds {
				limit, _ := bound.(float64)
				s, _ := withNumber(o.object, f, limit)
				if err := s.Validate(); (err != nil) != wider[o.path+f.name+" "+keyword] {
					t.Errorf("%s%s: with %v got %v", o.path, f.name, limit, err)
				}
			}
		}
	}
}

// wants returns every text that package policy has in its source for what it wanted.
func wants(t *testing.T) (all []string) {
	t.Helper()
	for _, file := range []string{"../validate.go", "../budget.go"} {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		texts := func(n ast.Node) {
			ast.Inspect(n, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					text, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, text)
				}
				return true
			})
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "fault" && len(n.Args) == 3 {
					texts(n.Args[2])
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Want" {
					texts(n.Value)
				}
			}
			return true
		})
	}
	return all
}

func TestWhatValidateWantsIsSaidInTheWordsOfFiles(t *testing.T) {
	all := wants(t)
	if len(all) < 20 {
		t.Fatalf("found %d texts, want all of them", len(all))
	}
	for _, want := range all {
		got := inFile(want)
		if word := goWord.FindString(got); word != "" || strings.Contains(got, "policy.") || strings.Contains(got, "classify.") {
			t.Errorf("got %q of %q, want no names of Go in it", got, want)
		}
	}
}

func TestFilePath(t *testing.T) {
	for field, want := range map[string]string{
		"MaxAttempts":                  "max_attempts",
		"Profiles[timeout].MaxElapsed": "profiles.timeout.max_elapsed",
		"Profiles[timeout]":            "profiles.timeout",
		"Breakers[10].Kinds[2]":        "breakers[10].kinds[2]",
		"Gate.Probe.LongHint":          "gate.probe.long_hint",
		"Budget.Min":                   "budget.min",
	} {
		if got := filePath(field); got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
}

func TestClosest(t *testing.T) {
	words := []string{"max_attempts", "max_elapsed", "initial", "max", "jitter", "token_refresh_in_progress"}
	tests := []struct{ word, want string }{
		{"max_atempts", "max_attempts"},
		{"maxAttempts", "max_attempts"},
		{"MAX-ELAPSED", "max_elapsed"},
		{"initil", "initial"},
		{"iniital", "initial"}, // swapped
		{"mex", "max"},
		{"mix_x", ""},
		{"jitters", "jitter"},
		{"attempts", "max_attempts"},
		{"my_jitter", "jitter"},
		{"refresh_in_progress", "token_refresh_in_progress"},
		{"", ""},
		{"?!", ""},
		{"é", ""},
		{"backoff", ""},
		{"max_attempts_" + strings.Repeat("x", 200), ""},
	}
	for _, tt := range tests {
		if got := closest(tt.word, words); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.word, got, tt.want)
		}
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "axc", 1}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}}
	for _, tt := range tests {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q to %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
