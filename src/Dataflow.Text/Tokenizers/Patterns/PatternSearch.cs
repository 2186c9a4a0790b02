using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>One pattern over one text.</summary>
internal ref struct PatternSearch
{
    private readonly PatternStep[] steps;
    private readonly ReadOnlySpan<char> text;
    private readonly string source;
    private (int Step, int At, int Limit)[] stack;
    private int depth;
    private long left;

    /// <summary>Prepares a search.</summary>
    public PatternSearch(PatternStep[] steps, ReadOnlySpan<char> text, string source)
    {
        this.steps = steps;
        this.text = text;
        this.source = source;
        stack = new (int, int, int)[16];
        left = 20_000_000L + 2_000L * text.Length;
    }

    /// <summary>Where a match that begins at a place ends; -1 where none begins there.</summary>
    public int Match(int at) => Run(0, at);

    private void Push(int step, int at, int limit)
    {
        if (depth == stack.Length)
        {
            Array.Resize(ref stack, depth * 2);
        }

        stack[depth++] = (step, at, limit);
        if (--left < 0)
        {
            throw new UserErrorException($"the pattern '{source}' goes back too often on this text");
        }
    }

    private int Run(int step, int at)
    {
        int floor = depth;
        while (true)
        {
            ref readonly var now = ref steps[step];
            bool goesOn = true;
            switch (now.Deed)
            {
                case PatternDeed.One:
                    goesOn = at < text.Length && now.Set![CodePoints.At(text, at, out int length)] && Advance(ref at, length);
                    step++;
                    break;
                case PatternDeed.Split:
                    Push(now.B, at, -1);
                    step = now.A;
                    break;
                case PatternDeed.Jump:
                    step = now.A;
                    break;
                case PatternDeed.RunGreedy:
                case PatternDeed.RunPossessive:
                    goesOn = TakeRun(now, ref at, step + 1);
                    step++;
                    break;
                case PatternDeed.RunLazy:
                    goesOn = TakeFewest(now, ref at, step + 1);
                    step++;
                    break;
                case PatternDeed.Place:
                    goesOn = Holds((PatternNode.Place)now.A, at);
                    step++;
                    break;
                case PatternDeed.Look:
                    goesOn = Looks(now, at);
                    step = now.B;
                    break;
                case PatternDeed.Atomic:
                    int end = Run(now.A, at);
                    goesOn = end >= 0;
                    (at, step) = (end, now.B);
                    break;
                default:
                    depth = floor;
                    return at;
            }

            if (!goesOn && !GoBack(floor, ref step, ref at))
            {
                return -1;
            }
        }
    }

    private static bool Advance(ref int at, int length)
    {
        at += length;
        return true;
    }

    private bool TakeRun(in PatternStep run, ref int at, int next)
    {
        int taken = 0;
        int least = -1;
        for (; taken < run.B; taken++)
        {
            if (taken == run.A)
            {
                least = at;
            }

            if (at >= text.Length || !run.Set![CodePoints.At(text, at, out int length)])
            {
                break;
            }

            at += length;
        }

        if (taken < run.A)
        {
            return false;
        }

        if (run.Deed == PatternDeed.RunGreedy && least >= 0 && at > least)
        {
            Push(next, at, least);
        }

        return true;
    }

    private bool TakeFewest(in PatternStep run, ref int at, int next)
    {
        for (int taken = 0; taken < run.A; taken++)
        {
            if (at >= text.Length || !run.Set![CodePoints.At(text, at, out int length)])
            {
                return false;
            }

            at += length;
        }

        if (run.B > run.A)
        {
            // The rest to take, counted below -1.
            Push(next, at, run.B == int.MaxValue ? int.MinValue : -1 - (run.B - run.A));
        }

        return true;
    }

    private bool GoBack(int floor, ref int step, ref int at)
    {
        while (depth > floor)
        {
            ref var top = ref stack[depth - 1];
            if (top.Limit == -1)
            {
                (step, at) = (top.Step, top.At);
                depth--;
                return true;
            }

            if (top.Limit >= 0)
            {
                top.At = CodePoints.Before(text, top.At);
                (step, at) = (top.Step, top.At);
                if (top.At <= top.Limit)
                {
                    depth--;
                }

                Count();
                return true;
            }

            // One more of a lazy run: its step is the one before where it goes on.
            if (top.At < text.Length && steps[top.Step - 1].Set![CodePoints.At(text, top.At, out int length)])
            {
                top.At += length;
                (step, at) = (top.Step, top.At);
                if (top.Limit != int.MinValue && ++top.Limit == -1)
                {
                    depth--;
                }

                Count();
                return true;
            }

            depth--;
        }

        return false;
    }

    private void Count()
    {
        if (--left < 0)
        {
            throw new UserErrorException($"the pattern '{source}' goes back too often on this text");
        }
    }

    private bool Looks(in PatternStep look, int at)
    {
        int from = at;
        for (int i = 0; i < look.Behind; i++)
        {
            if (from == 0)
            {
                return look.Negative;
            }

            from = CodePoints.Before(text, from);
        }

        return Run(look.A, from) >= 0 != look.Negative;
    }

    private readonly bool Holds(PatternNode.Place place, int at) => place switch
    {
        PatternNode.Place.TextStart => at == 0,
        PatternNode.Place.TextEnd => at == text.Length,
        PatternNode.Place.LastLineEnd => at == text.Length || (at == text.Length - 1 && text[at] == '\n'),
        PatternNode.Place.LineStart => at == 0 || (text[at - 1] == '\n' && at < text.Length),
        PatternNode.Place.LineEnd => at == text.Length || text[at] == '\n',
        PatternNode.Place.WordEdge => IsWordEdge(at),
        _ => !IsWordEdge(at),
    };

    private readonly bool IsWordEdge(int at) =>
        (at > 0 && PatternClasses.Word[CodePoints.At(text, CodePoints.Before(text, at), out _)])
        != (at < text.Length && PatternClasses.Word[CodePoints.At(text, at, out _)]);
}
