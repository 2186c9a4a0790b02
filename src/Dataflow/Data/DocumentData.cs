using Dataflow.Corpora;
using Dataflow.Model;

namespace Dataflow;

/// <summary>Training data that is made of documents: one set of them, or a mixture of several.</summary>
internal static class DocumentData
{
    /// <summary>Opens what was chosen.</summary>
    /// <param name="choice">Texts, records, conversations or tokens.</param>
    /// <param name="tokenizer">The folder of the tokenizer; null if there is none.</param>
    /// <param name="seqlen">Inputs of a row.</param>
    /// <param name="seed">Of the order in which the data is described; of training's own the feed is told.</param>
    /// <param name="source">The model.</param>
    /// <exception cref="UserErrorException">It cannot be used.</exception>
    public static TrainingData Open(DataChoice choice, string? tokenizer, int seqlen, ulong seed, ModelSource source)
    {
        var (data, options) = (choice.Data, choice.Corpus);
        if (options.Weights.Count == 0)
        {
            return Open(DocumentSources.Open(data, tokenizer, options), choice, seqlen, seed, source);
        }

        if (options.Weights.Count != data.Count)
        {
            throw new UserErrorException(
                $"--weights gives {options.Weights.Count} weights, and --data names {data.Count} sources; give one for each");
        }

        var parts = new List<ITokenizedDocuments>();
        var owned = new Owned(parts);
        try
        {
            foreach (string path in data)
            {
                parts.Add(DocumentSources.Open([path], tokenizer, options));
            }

            return Mixed(parts, choice, seqlen, seed, source, owned);
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    /// <summary>Data of one set of documents.</summary>
    /// <exception cref="UserErrorException">They make no row, or are of another vocabulary.</exception>
    public static TrainingData Open(ITokenizedDocuments documents, DataChoice choice, int seqlen, ulong seed, ModelSource source)
    {
        try
        {
            var settings = Settings(documents, choice.Corpus, seqlen, seed);
            documents = Paired(documents);
            int vocabulary = source.Model.VocabSize;
            CheckVocabulary(documents, vocabulary);
            var (rows, areAll, counts) = new DocumentFeed(documents, settings, vocabulary).FirstWindow();
            return new TrainingData((_, s) => new DocumentFeed(documents, settings with { Seed = s }, vocabulary), documents)
            {
                Path = string.Join(", ", choice.Data),
                Description = Describe(documents, settings, rows, areAll),
                Notes = [.. Notes(documents, settings, counts, source)],
                RowCount = areAll ? rows : null,
                Fingerprint = documents.Fingerprint,
                IsPacked = settings.Cut == RowCut.Packed,
                Documents = documents,
                Rows = settings,
                Pairs = [.. new[] { documents }.OfType<PreferenceDocuments>().Select(d => (d, settings))],
            };
        }
        catch
        {
            documents.Dispose();
            throw;
        }
    }

    private static TrainingData Mixed(
        List<ITokenizedDocuments> parts, DataChoice choice, int seqlen, ulong seed, ModelSource source, IDisposable owned)
    {
        var options = choice.Corpus;
        if (options.HeldBack > 0)
        {
            throw new UserErrorException("--validation-split is of one set of documents, and --weights mixes several; give --validation");
        }

        int vocabulary = source.Model.VocabSize;
        var settings = parts.Select(p => Settings(p, options, seqlen, seed)).ToList();
        if (settings.Select(s => s.Cut).Distinct().Count() > 1)
        {
            throw new UserErrorException("some of the sources have documents and others a stream of ids; give --pack packed or stream "
                + "for all");
        }

        if (parts.Any(p => p.Kind == DocumentKind.Preference) && parts.Any(p => p.Kind != DocumentKind.Preference))
        {
            throw new UserErrorException(
                "some of the sources are preferences and others are not, and their losses are different ones; train on one of these kinds");
        }

        double sum = options.Weights.Sum();
        var notes = new List<string>();
        var lines = new List<string>();
        for (int i = 0; i < parts.Count; i++)
        {
            parts[i] = Paired(parts[i]);
            CheckVocabulary(parts[i], vocabulary);
            var (rows, areAll, counts) = new DocumentFeed(parts[i], settings[i], vocabulary).FirstWindow();
            notes.AddRange(Notes(parts[i], settings[i], counts, source));
            lines.Add($"{options.Weights[i] / sum:0.#%} {Describe(parts[i], settings[i], rows, areAll)}");
        }

        IRowFeed Feed(int rows, ulong s) => new MixedFeed(
            [.. parts.Select((p, i) => (new DocumentFeed(p, settings[i] with { Seed = s }, vocabulary), options.Weights[i]))], settings[0]);
        return new TrainingData(Feed, owned)
        {
            Path = string.Join(", ", choice.Data),
            Description = string.Join("; ", lines),
            Notes = notes,
            Fingerprint = string.Join(' ', parts.Select(p => p.Fingerprint)),
            IsPacked = settings[0].Cut == RowCut.Packed,
            Pairs =
            [
                .. parts.Zip(settings).Where(p => p.First is PreferenceDocuments).Select(p => ((PreferenceDocuments)p.First, p.Second)),
            ],
        };
    }

    /// <summary>Preferences with room for what a reference makes of them; others as they are.</summary>
    internal static ITokenizedDocuments Paired(ITokenizedDocuments documents) =>
        documents.Kind == DocumentKind.Preference ? new PreferenceDocuments(documents) : documents;

    /// <summary>How documents become rows, where options leave it open.</summary>
    /// <exception cref="UserErrorException">They are preferences, and are to be cut.</exception>
    internal static RowSettings Settings(ITokenizedDocuments documents, CorpusOptions options, int seqlen, ulong seed)
    {
        bool cuts = options.Rows == RowCut.Stream || options.Overlong is Overlong.Split or Overlong.Truncate;
        return documents.Kind == DocumentKind.Preference && cuts
            ? throw new UserErrorException(
                $"{documents.Name} has pairs of answers, which are compared as a whole: leave out --pack stream, and of pairs that are "
                    + "longer than a row --overlong drop leaves them out")
            : SettingsOf(documents, options, seqlen, seed);
    }

    private static RowSettings SettingsOf(ITokenizedDocuments documents, CorpusOptions options, int seqlen, ulong seed) => new(seqlen, seed)
    {
        Cut = options.Rows ?? (documents.Kind == DocumentKind.Text && documents.Await(2) == 1 ? RowCut.Stream : RowCut.Packed),
        Overlong = options.Overlong,
        Shuffle = options.Shuffle ?? (documents is TokenizedAhead ? Shuffle.Window : Shuffle.All),
        HeldBack = options.HeldBack,
    };

    /// <summary>What is there, in words.</summary>
    internal static string Describe(ITokenizedDocuments documents, RowSettings settings, int rows, bool areAll)
    {
        string how = settings.Cut == RowCut.Packed ? "documents side by side" : "one stream of documents";
        string count = areAll ? TrainingData.Said(rows)
            : $"{TrainingData.Said(rows)} of the first {RowSettings.WindowDocuments:N0} documents and more";
        string what = documents.Finding.StartsWith(documents.Name, StringComparison.Ordinal) ? documents.Finding
            : $"{documents.Name}: {documents.Finding}";
        return $"{what}, {count} of {settings.Seqlen} tokens, {how}";
    }

    private static void CheckVocabulary(ITokenizedDocuments documents, int vocabulary)
    {
        if (documents is ArrayDocuments && documents.IdCount > vocabulary)
        {
            throw new UserErrorException(
                $"{documents.Name} has ids up to {documents.IdCount - 1:N0}, and the model's vocabulary has {vocabulary:N0} ids: they are "
                    + "another tokenizer's, or of another type than was said");
        }
    }

    private static IEnumerable<string> Notes(ITokenizedDocuments documents, RowSettings settings, RowCounts counts, ModelSource source)
    {
        if (settings.Cut == RowCut.Packed && counts.Overlong > 0)
        {
            string what = settings.OverlongOf(documents.Kind) switch
            {
                Overlong.Split => "are split into several",
                Overlong.Truncate => $"end there: {counts.LeftOut:N0} tokens are not used",
                _ => $"are left out, {counts.LeftOut:N0} tokens",
            };
            yield return $"{counts.Overlong:N0} of {counts.Documents:N0} documents of {documents.Name} are longer than a row of "
                + $"{settings.Seqlen:N0} tokens and {what} (--overlong)";
        }

        if (documents.IdCount > source.Model.VocabSize)
        {
            yield return $"the tokenizer of {documents.Name} has {documents.IdCount:N0} ids and the model {source.Model.VocabSize:N0}: a "
                + $"row "
                + "with one beyond ends the run";
        }

        if (documents is TokenizedFolder folder && source.TokenizerFolder is { } own && OtherTokenizer(folder, own))
        {
            yield return $"{folder.Name} was tokenized by another tokenizer file than {own} has: if it gives other ids, the model cannot "
                + $"read "
                + "them";
        }
    }

    private static bool OtherTokenizer(TokenizedFolder folder, string own)
    {
        try
        {
            return TokenizerFolder.Open(own).Sha256 != folder.TokenizerHash;
        }
        catch (UserErrorException)
        {
            return false; // nothing is known of it
        }
    }

    private sealed class Owned(List<ITokenizedDocuments> parts) : IDisposable
    {
        public void Dispose() => parts.ForEach(p => p.Dispose());
    }
}
