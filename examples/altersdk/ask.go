package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"charm.land/huh/v2"
)

var (
	errUnanswered  = errors.New("there are no more answers")
	errInterrupted = errors.New("interrupted")
	errWrongAnswer = errors.New("the answer is none of the options")
	errUnreadable  = errors.New("the script cannot be read")
)

// asker puts a question and returns the index of the option that was picked; or errUnanswered, errInterrupted,
// errWrongAnswer, errUnreadable, or the context's error.
type asker interface {
	ask(ctx context.Context, question string, options []string) (int, error)
}

// agree picks the first option.
type agree struct{ out io.Writer }

func (a agree) ask(_ context.Context, question string, options []string) (int, error) {
	fmt.Fprintf(a.out, "  ? %s %s\n", question, options[0])
	return 0, nil
}

// form asks people at a terminal.
type form struct {
	in  io.Reader
	out io.Writer
}

func (f form) ask(ctx context.Context, question string, options []string) (int, error) {
	var pick int
	list := make([]huh.Option[int], len(options))
	for i, option := range options {
		list[i] = huh.NewOption(option, i)
	}
	field := huh.NewSelect[int]().Title(question).Options(list...).Value(&pick)
	err := huh.NewForm(huh.NewGroup(field)).WithInput(f.in).WithOutput(f.out).RunWithContext(ctx)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, huh.ErrUserAborted):
		return 0, errInterrupted
	case err != nil:
		return 0, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	fmt.Fprintf(f.out, "  ? %s %s\n", question, options[pick]) // the form itself is gone by now
	return pick, nil
}

// lines takes the answers from the lines of a file or a pipe.
type lines struct {
	out   io.Writer
	name  string // of the script, for complaints; empty for standard input
	tries int    // that a question has
	next  chan answer
}

// answer is a line that counts, or the error that ended the reading.
type answer struct {
	text string
	line int
	err  error
}

// readLines starts to read. What is read when ctx ends is of no use.
func readLines(ctx context.Context, in io.Reader, out io.Writer, name string, tries int) *lines {
	l := &lines{out, name, tries, make(chan answer)}
	go l.read(ctx, in)
	return l
}

// read is a goroutine of its own, since nothing interrupts a Read of standard input: then it ends with the program.
func (l *lines) read(ctx context.Context, in io.Reader) {
	defer close(l.next)
	reader := bufio.NewReader(in)
	for n := 1; ctx.Err() == nil; n++ {
		begin, more, err := reader.ReadLine()
		text := strings.TrimSpace(strings.TrimPrefix(string(begin), "\ufeff"))
		for more && err == nil && ctx.Err() == nil { // no option is that long: the rest of the line need not be kept
			_, more, err = reader.ReadLine()
		}
		if err == io.EOF {
			return
		}
		if err == nil && (text == "" || strings.HasPrefix(text, "#")) {
			continue
		}
		select {
		case l.next <- answer{text, n, err}:
		case <-ctx.Done():
		}
		if err != nil {
			return
		}
	}
}

func (l *lines) ask(ctx context.Context, question string, options []string) (int, error) {
	fmt.Fprintf(l.out, "  ? %s\n", question)
	for i, option := range options {
		fmt.Fprintf(l.out, "    %d %s\n", i+1, option)
	}
	var given answer
	for range l.tries {
		fmt.Fprint(l.out, "  > ")
		var ok bool
		select {
		case given, ok = <-l.next:
		case <-ctx.Done():
			fmt.Fprintln(l.out)
			return 0, ctx.Err()
		}
		if !ok || given.err != nil {
			fmt.Fprintln(l.out)
			return 0, l.unanswered(question, given.err)
		}
		for i, option := range options {
			word, _, _ := strings.Cut(option, " ")
			if given.text == strconv.Itoa(i+1) || strings.EqualFold(given.text, word) {
				fmt.Fprintln(l.out, option)
				return i, nil
			}
		}
		fmt.Fprintln(l.out, "that is none of them")
	}
	return 0, l.wrong(question, options, given)
}

// unanswered is the error of a question that has no answer, since the answers have ended or cannot be read.
func (l *lines) unanswered(question string, err error) error {
	switch {
	case l.name == "" && err == nil:
		return errUnanswered
	case l.name == "":
		return fmt.Errorf("%w: %w", errUnanswered, err)
	case err != nil:
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return fmt.Errorf("%s: %w: %q has none", l.name, errUnanswered, question)
}

// wrong is the error of an answer that is none of the options.
func (l *lines) wrong(question string, options []string, given answer) error {
	if l.name == "" {
		return errWrongAnswer
	}
	want := make([]string, len(options))
	for i, option := range options {
		want[i] = fmt.Sprintf("%d %s", i+1, option)
	}
	return fmt.Errorf("%s:%d: %.60q: %w of %q: want %s", l.name, given.line, given.text, errWrongAnswer, question, strings.Join(want, " or "))
}
