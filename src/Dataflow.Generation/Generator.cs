namespace Dataflow.Generation;

/// <summary>A prompt to be continued.</summary>
/// <param name="Ids">Its tokens, at least one.</param>
/// <param name="MostTokens">How many follow at most, at least one.</param>
public sealed record Prompt(IReadOnlyList<int> Ids, int MostTokens)
{
    /// <summary>Tokens of both.</summary>
    public int Length => Ids.Count + MostTokens;

    /// <summary>Rows of a cache that it needs: the last token is told and not looked back at.</summary>
    public int Rows => Length - 1;
}

/// <summary>A token that was chosen.</summary>
/// <param name="Prompt">Number of the prompt that it continues.</param>
/// <param name="Id">The token.</param>
/// <param name="Index">How many were chosen before it for this prompt.</param>
public readonly record struct GeneratedToken(int Prompt, int Id, int Index);

/// <summary>
/// Continues prompts side by side: each step has a token of every sequence that goes on, and the prompts of those that begin. Where the
/// cache is full, prompts wait until a sequence has ended. What a prompt is continued by does not depend on the others, but for the
/// rounding of recurrences, which go by blocks of the tokens that a step has of a sequence.
/// </summary>
/// <param name="model">The model.</param>
/// <param name="vocabulary">Tokens that there are.</param>
/// <param name="settings">How tokens are chosen.</param>
public sealed class Generator(CachedModel model, int vocabulary, SamplingSettings settings)
{
    private readonly SamplingScratch scratch = new(vocabulary);

    /// <summary>Continues all prompts.</summary>
    /// <param name="prompts">In the order in which they begin.</param>
    /// <param name="take">Told each token as it is chosen; true where the sequence ends with it.</param>
    /// <param name="cancellation">Looked at before each step.</param>
    /// <exception cref="ArgumentException">A prompt is empty, or alone has no room in the cache.</exception>
    public void Run(IReadOnlyList<Prompt> prompts, Func<GeneratedToken, bool> take, CancellationToken cancellation = default)
    {
        var waiting = new Queue<int>(Enumerable.Range(0, prompts.Count));
        var running = new List<Running>();
        try
        {
            while (running.Count > 0 || waiting.Count > 0)
            {
                cancellation.ThrowIfCancellationRequested();
                Admit(prompts, waiting, running);
                Step(running, take, cancellation);
            }
        }
        finally
        {
            running.ForEach(r => model.Close(r.Sequence));
        }
    }

    private void Admit(IReadOnlyList<Prompt> prompts, Queue<int> waiting, List<Running> running)
    {
        // A step's chunk has room for a token of each.
        while (running.Count < model.MostLogits && waiting.TryPeek(out int number))
        {
            var prompt = prompts[number];
            if (prompt.Ids.Count == 0 || prompt.MostTokens < 1)
            {
                throw new ArgumentException($"prompt {number} has no token, or none is to follow", nameof(prompts));
            }

            if (model.Open(prompt.Rows, prompt.Length) is not { } sequence)
            {
                if (running.Count == 0)
                {
                    throw new ArgumentException($"prompt {number} of {prompt.Length} tokens has no room in the cache", nameof(prompts));
                }

                return;
            }

            waiting.Dequeue();
            var sampler = new Sampler(settings, number, scratch);
            foreach (int id in prompt.Ids)
            {
                sampler.Note(id);
            }

            running.Add(new Running(number, prompt, sequence, sampler) { Next = prompt.Ids.ToArray() });
        }
    }

    private void Step(List<Running> running, Func<GeneratedToken, bool> take, CancellationToken cancellation)
    {
        model.Continue(
            [.. running.Select(r => new Continuation(r.Sequence, r.Next, Wanted: 1))],
            (c, _, logits) =>
            {
                var of = running[c];
                int id = of.Sampler.Next(logits);
                of.Sampler.Note(id);
                of.Next = new[] { id };
                of.Ended = take(new GeneratedToken(of.Number, id, of.Chosen++)) || of.Chosen == of.Prompt.MostTokens;
            },
            cancellation);
        foreach (var ended in running.Where(r => r.Ended))
        {
            model.Close(ended.Sequence);
        }

        running.RemoveAll(r => r.Ended);
    }

    private sealed class Running(int number, Prompt prompt, CachedSequence sequence, Sampler sampler)
    {
        public int Number => number;

        public Prompt Prompt => prompt;

        public CachedSequence Sequence => sequence;

        public Sampler Sampler => sampler;

        public required ReadOnlyMemory<int> Next { get; set; }

        public int Chosen { get; set; }

        public bool Ended { get; set; }
    }
}
