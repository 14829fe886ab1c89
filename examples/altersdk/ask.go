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
)

// asker puts a question and returns the index of the option that was picked; or errUnanswered, errInterrupted,
// errWrongAnswer, or the context's error.
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
	tries int // that a question has
	next  chan string
}

// readLines starts to read. What is read when ctx ends is of no use.
func readLines(ctx context.Context, in io.Reader, out io.Writer, tries int) *lines {
	l := &lines{out, tries, make(chan string)}
	go l.read(ctx, in)
	return l
}

// read is a goroutine of its own, since nothing interrupts a Read of standard input: then it ends with the program.
func (l *lines) read(ctx context.Context, in io.Reader) {
	defer close(l.next)
	for scanner := bufio.NewScanner(in); scanner.Scan(); {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		select {
		case l.next <- line:
		case <-ctx.Done():
			return
		}
	}
}

func (l *lines) ask(ctx context.Context, question string, options []string) (int, error) {
	fmt.Fprintf(l.out, "  ? %s\n", question)
	for i, option := range options {
		fmt.Fprintf(l.out, "    %d %s\n", i+1, option)
	}
	for range l.tries {
		fmt.Fprint(l.out, "  > ")
		select {
		case line, ok := <-l.next:
			if !ok {
				fmt.Fprintln(l.out)
				return 0, errUnanswered
			}
			for i, option := range options {
				word, _, _ := strings.Cut(option, " ")
				if line == strconv.Itoa(i+1) || strings.EqualFold(line, word) {
					fmt.Fprintln(l.out, option)
					return i, nil
				}
			}
			fmt.Fprintln(l.out, "that is none of them")
		case <-ctx.Done():
			fmt.Fprintln(l.out)
			return 0, ctx.Err()
		}
	}
	return 0, errWrongAnswer
}
