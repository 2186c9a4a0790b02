using Dataflow.Model;

namespace Dataflow.Text.Tokenizers;

/// <summary>A pattern as steps. Repetitions of groups are written out; those of one set are one step, whatever they take.</summary>
internal static class PatternProgram
{
    private const int MostSteps = 20_000;

    /// <summary>The steps of a pattern.</summary>
    public static PatternStep[] Of(PatternNode pattern)
    {
        var steps = new List<PatternStep>();
        Write(pattern, steps);
        steps.Add(new(PatternDeed.Done));
        return [.. steps];
    }

    private static void Write(PatternNode node, List<PatternStep> steps)
    {
        if (steps.Count > MostSteps)
        {
            throw new UserErrorException($"a pattern has more than {MostSteps} steps, written out: not supported");
        }

        switch (node)
        {
            case PatternNode.One one:
                steps.Add(new(PatternDeed.One, one.Set));
                break;
            case PatternNode.Sequence sequence:
                foreach (var part in sequence.Parts)
                {
                    Write(part, steps);
                }

                break;
            case PatternNode.Choice choice:
                WriteChoice(choice.Parts, steps);
                break;
            case PatternNode.Repeat { Inner: PatternNode.One one } run:
                steps.Add(new(Deed(run.Kind), one.Set, run.Least, run.Most));
                break;
            case PatternNode.Repeat { Kind: PatternNode.Repetition.Possessive } repeat:
                Write(new PatternNode.Atomic(repeat with { Kind = PatternNode.Repetition.Greedy }), steps);
                break;
            case PatternNode.Repeat repeat:
                WriteRepeat(repeat, steps);
                break;
            case PatternNode.Look look:
                int behind = look.Behind ? look.Inner.Width!.Value : 0;
                WriteInner(look.Inner, steps, new(PatternDeed.Look, Behind: behind, Negative: look.Negative));
                break;
            case PatternNode.Atomic atomic:
                WriteInner(atomic.Inner, steps, new(PatternDeed.Atomic));
                break;
            case PatternNode.Anchor anchor:
                steps.Add(new(PatternDeed.Place, A: (int)anchor.Where));
                break;
            default:
                throw new InvalidOperationException($"{node} is no node of a pattern");
        }
    }

    private static PatternDeed Deed(PatternNode.Repetition kind) => kind switch
    {
        PatternNode.Repetition.Greedy => PatternDeed.RunGreedy,
        PatternNode.Repetition.Lazy => PatternDeed.RunLazy,
        _ => PatternDeed.RunPossessive,
    };

    private static void WriteChoice(IReadOnlyList<PatternNode> parts, List<PatternStep> steps)
    {
        var ends = new List<int>();
        for (int i = 0; i < parts.Count; i++)
        {
            int split = steps.Count;
            bool last = i == parts.Count - 1;
            if (!last)
            {
                steps.Add(default);
            }

            Write(parts[i], steps);
            if (!last)
            {
                ends.Add(steps.Count);
                steps.Add(default);
                steps[split] = new(PatternDeed.Split, A: split + 1, B: steps.Count);
            }
        }

        foreach (int end in ends)
        {
            steps[end] = new(PatternDeed.Jump, A: steps.Count);
        }
    }

    private static void WriteRepeat(PatternNode.Repeat repeat, List<PatternStep> steps)
    {
        for (int i = 0; i < repeat.Least; i++)
        {
            Write(repeat.Inner, steps);
        }

        bool lazy = repeat.Kind == PatternNode.Repetition.Lazy;
        var splits = new List<int>();
        int loop = steps.Count;
        for (int i = repeat.Least; i < (repeat.Most == int.MaxValue ? repeat.Least + 1 : repeat.Most); i++)
        {
            splits.Add(steps.Count);
            steps.Add(default);
            Write(repeat.Inner, steps);
        }

        if (repeat.Most == int.MaxValue)
        {
            steps.Add(new(PatternDeed.Jump, A: loop));
        }

        foreach (int split in splits)
        {
            steps[split] = lazy
                ? new(PatternDeed.Split, A: steps.Count, B: split + 1)
                : new(PatternDeed.Split, A: split + 1, B: steps.Count);
        }
    }

    private static void WriteInner(PatternNode inner, List<PatternStep> steps, PatternStep step)
    {
        int place = steps.Count;
        steps.Add(default);
        Write(inner, steps);
        steps.Add(new(PatternDeed.Done));
        steps[place] = step with { A = place + 1, B = steps.Count };
    }
}
