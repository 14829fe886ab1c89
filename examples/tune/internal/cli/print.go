package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/fatih/color"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/steadytrip/steadytrip/examples/tune/internal/report"
)

// outputs has the flags of commands that can write for machines and for browsers.
type outputs struct {
	json bool
	html string
}

func (o *outputs) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON and nothing else to standard output")
	o.page(cmd)
}

func (o *outputs) page(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.html, "html", "", "write a report to this `file`")
}

// write writes the report, if there is to be one.
func (o *outputs) write(r report.Report) error {
	if o.html == "" {
		return nil
	}
	f, err := os.Create(o.html)
	if err != nil {
		return err
	}
	if err := report.Write(f, r); err != nil {
		_ = f.Close() // the first error says more
		return fmt.Errorf("%s: %w", o.html, err)
	}
	return f.Close()
}

func (p Program) printJSON(v any) error {
	e := json.NewEncoder(p.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// output is standard output, and the first error of writing to it.
type output struct {
	io.Writer

	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// terminal returns the width of the terminal that w is, and 0 if it is none.
func terminal(w io.Writer) int {
	if o, ok := w.(*output); ok {
		w = o.Writer
	}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

// colourful reports whether w shows colours, and may: https://no-color.org.
func (p Program) colourful(w io.Writer) bool {
	return terminal(w) > 0 && !slices.ContainsFunc(p.Environ, func(entry string) bool {
		value, ok := strings.CutPrefix(entry, "NO_COLOR=")
		return ok && value != "" || entry == "TERM=dumb"
	})
}

// paint colours a text that is for w.
func (p Program) paint(w io.Writer, s string, attributes ...color.Attribute) string {
	c := color.New(attributes...)
	if p.colourful(w) {
		c.EnableColor()
	} else {
		c.DisableColor()
	}
	return c.Sprint(s)
}

func (p Program) good(s string) string  { return p.paint(p.Stdout, s, color.FgGreen) }
func (p Program) bad(s string) string   { return p.paint(p.Stdout, s, color.FgRed, color.Bold) }
func (p Program) title(s string) string { return p.paint(p.Stdout, s, color.Bold) }

// plain is the look of all tables: no lines but one below the head.
var plain = func() table.Style {
	s := table.StyleLight
	s.Options = table.Options{SeparateHeader: true}
	s.Box.PaddingLeft = ""
	s.Box.PaddingRight = "  "
	s.Format.Header = text.FormatDefault
	return s
}()

// table returns an empty table for standard output, to be rendered.
func (p Program) table(head ...string) table.Writer { return p.tableOn(p.Stdout, head...) }

func (p Program) tableOn(w io.Writer, head ...string) table.Writer {
	t := table.NewWriter()
	t.SetStyle(plain)
	t.SuppressTrailingSpaces()
	row := make(table.Row, len(head))
	for i, h := range head {
		if row[i] = h; h != "" {
			row[i] = p.paint(w, h, color.Bold)
		}
	}
	t.AppendHeader(row)
	return t
}
