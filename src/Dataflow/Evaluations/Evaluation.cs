using System.Text;
using Dataflow.Corpora;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;
using Dataflow.Training;

namespace Dataflow;

/// <summary>How well a model predicts text, and which of several texts it finds most likely.</summary>
public static class Evaluation
{
    /// <summary>The loss on documents: each token but a document's first is scored once, by what stands before it in its window.</summary>
    /// <param name="options">The model and the documents.</param>
    /// <param name="tell">Told what is to be known.</param>
    /// <param name="document">Told of each document, in order.</param>
    /// <exception cref="UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    public static EvaluationResult Of(EvaluationOptions options, Action<RunEvent> tell, Action<DocumentLoss>? document = null)
    {
        int stride = options.Stride ?? options.Plan.Seqlen;
        if (stride < 1 || stride > options.Plan.Seqlen)
        {
            throw new UserErrorException(
                $"--stride is {stride}, and windows are of {options.Plan.Seqlen} tokens; give 1 to {options.Plan.Seqlen}");
        }

        using var model = Evaluator.Open(options.Plan, tell);
        string? folder = options.Corpus.Tokenizer ?? model.Source.TokenizerFolder;
        using var documents = Documents(options, folder);
        var tokenizer = options.Tokens is null && folder is not null && TokenizerFolder.Open(folder) is var own
            && (documents is not TokenizedFolder known || known.TokenizerHash == own.Sha256) ? own.Tokenizer : null;
        var pending = new Queue<Pending>();
        double loss = 0;
        long scored = 0, bytes = 0, count = 0;
        for (; count < documents.Await(count + 1); count++)
        {
            var (tokens, weights) = Read(documents, count);
            var mine = new Pending(count, tokens.Length);
            pending.Enqueue(mine);
            foreach (var row in Windows(tokens, weights, model.Seqlen, stride))
            {
                mine.Begin(row.Scored);
                model.Score(row, mine.Take);
            }

            bytes += tokenizer is null ? 0 : BytesOf(tokenizer, tokens, weights);
            Drain();
        }

        model.Finish();
        Drain();
        return scored > 0 ? new EvaluationResult(loss, scored, count, tokenizer is null ? null : bytes)
            : throw new UserErrorException($"{documents.Name} has no token to score: its documents have one each, or none is trained");

        void Drain()
        {
            while (pending.TryPeek(out var first) && first.IsDone)
            {
                pending.Dequeue();
                (loss, scored) = (loss + first.Loss.Loss, scored + first.Loss.Scored);
                document?.Invoke(first.Loss);
            }
        }
    }

    /// <summary>The likelihood of each choice of questions.</summary>
    /// <param name="options">The model; its data plays no part.</param>
    /// <param name="questions">The questions.</param>
    /// <param name="tell">Told what is to be known.</param>
    /// <exception cref="UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    public static IReadOnlyList<ChoiceResult> Choices(
        EvaluationOptions options, IReadOnlyList<ChoiceQuestion> questions, Action<RunEvent> tell)
    {
        using var model = Evaluator.Open(options.Plan, tell);
        var rules = DocumentSources.Rules(
            options.Corpus.Tokenizer ?? model.Source.TokenizerFolder
                ?? throw new UserErrorException("choices are texts, and the model brings no tokenizer; name a folder that has one by "
                    + "--tokenizer"),
            options.Corpus with { End = options.Corpus.End ?? EndTokens.None });
        int[] before = [.. rules.Before];
        double[][] likelihoods = [.. questions.Select(q => new double[q.Choices.Count])];
        for (int q = 0; q < questions.Count; q++)
        {
            int[] prompt = [.. before, .. rules.Tokenizer.EncodeIds(questions[q].Prompt, addSpecialTokens: false)];
            for (int c = 0; c < questions[q].Choices.Count; c++)
            {
                var (question, choice) = (q, c);
                string whole = questions[q].Prompt + Behind(questions[q].Choices[c]);
                int[] ids = [.. before, .. rules.Tokenizer.EncodeIds(whole, addSpecialTokens: false)];
                int first = prompt.AsSpan().CommonPrefixLength(ids);
                if (first == 0 || first == ids.Length)
                {
                    throw new UserErrorException(first == 0
                        ? $"nothing stands before the choices of question {q}, and the tokenizer begins no text with a token; give a prompt"
                        : $"choice {c} of question {q} has no token of its own; give a text that does not vanish");
                }

                model.Score(Fitted(ids, first, model.Seqlen, q), sum => likelihoods[question][choice] = -sum);
            }
        }

        model.Finish();
        return [.. questions.Select((q, i) => new ChoiceResult(
            i, q.Answer, likelihoods[i], [.. q.Choices.Select(c => Encoding.UTF8.GetByteCount(Behind(c)))]))];
    }

    private static string Behind(string choice) => choice.Length > 0 && char.IsWhiteSpace(choice[0]) ? choice : " " + choice;

    // The end of what stands before the choice is what matters most.
    private static ScoredRow Fitted(int[] ids, int first, int seqlen, int question)
    {
        int over = Math.Max(0, ids.Length - (seqlen + 1));
        return first - over >= 1
            ? new ScoredRow(ids[over..], first - over)
            : throw new UserErrorException(
                $"a choice of question {question} has {ids.Length - first} tokens, and sequences have {seqlen}; give a larger --seqlen");
    }

    private static ITokenizedDocuments Documents(EvaluationOptions options, string? folder)
    {
        if (options is { Data.Count: > 0, Tokens: not null } or { Data.Count: 0, Tokens: null })
        {
            throw new UserErrorException("give what is to be scored, by --data or by --tokens, and not by both");
        }

        ITokenizedDocuments documents = options.Tokens is { } raw
            ? ArrayFormats.Open(raw, options.Corpus.IdType ?? IdType.UInt32)!
            : DocumentSources.Open(options.Data, folder, options.Corpus);
        if (documents.Kind != DocumentKind.Preference)
        {
            return documents;
        }

        documents.Dispose();
        throw new UserErrorException(
            $"{string.Join(", ", options.Data)} has pairs of answers, which are compared and not scored one by one: training with "
                + "--preference-loss measures their loss, margin and accuracy by --validation");
    }

    private static (int[] Tokens, byte[]? Weights) Read(ITokenizedDocuments documents, long document)
    {
        long length = documents.LengthOf(document);
        int[] tokens = length <= Array.MaxLength ? new int[length] : throw new UserErrorException(
            $"document {document} of {documents.Name} has {length:N0} tokens, and at most {Array.MaxLength:N0} can be scored as one; give "
                + "several, for example of a text with --documents line");
        documents.Read(document, 0, tokens);
        if (!documents.HasWeights)
        {
            return (tokens, null);
        }

        byte[] weights = new byte[tokens.Length];
        documents.ReadWeights(document, 0, weights);
        return (tokens, weights);
    }

    /// <summary>Windows of a document: what one shares with those before is context.</summary>
    private static IEnumerable<ScoredRow> Windows(int[] tokens, byte[]? weights, int seqlen, int stride)
    {
        int scored = 1;
        for (int begin = 0; scored < tokens.Length; begin += stride)
        {
            int end = Math.Min(tokens.Length, begin + seqlen + 1);
            yield return new ScoredRow(tokens[begin..end], scored - begin, weights?[begin..end]);
            scored = end;
        }
    }

    private static long BytesOf(TextTokenizer tokenizer, int[] tokens, byte[]? weights)
    {
        if (tokens.Length == 0)
        {
            return 0;
        }

        if (weights is null)
        {
            return Count(tokenizer.Decode(tokens, skipSpecialTokens: true)) - Count(tokenizer.Decode(tokens[..1], skipSpecialTokens: true));
        }

        var stream = tokenizer.Stream(skipSpecialTokens: true);
        long bytes = 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            string piece = stream.Next(tokens[i]);
            bytes += i > 0 && weights[i] != 0 ? Count(piece) : 0;
        }

        return bytes;
    }

    private static int Count(string text) => Encoding.UTF8.GetByteCount(text);

    /// <summary>A document whose rows are being scored.</summary>
    private sealed class Pending(long document, int tokens)
    {
        private int open;
        private double sum;
        private long scored;

        public bool IsDone => open == 0;

        public DocumentLoss Loss => new(document, sum, scored, tokens);

        public void Begin(int tokensOfRow) => (open, scored) = (open + 1, scored + tokensOfRow);

        public void Take(double loss) => (open, sum) = (open - 1, sum + loss);
    }
}
