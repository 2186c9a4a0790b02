using System.Diagnostics;
using Dataflow.Corpora;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// The model that pairs are compared by: its log-probabilities are found once, before training, by evaluation steps with its weights in the
/// place of those that are trained, and kept. So there is never a second model in memory.
/// </summary>
internal sealed class Reference
{
    private const string CacheName = "references";
    private readonly TrainingOptions settings;
    private readonly string named;
    private readonly ModelConfig model;

    private Reference(TrainingOptions settings, ModelConfig model, string fingerprint) =>
        (this.settings, named, this.model, Fingerprint) = (settings, settings.Reference ?? settings.Plan.Model, model, fingerprint);

    /// <summary>What tells its weights from others.</summary>
    public string Fingerprint { get; }

    /// <summary>The reference of a run; of one that is resumed that which it began with, which need not be there any more.</summary>
    /// <param name="settings">What was chosen.</param>
    /// <param name="model">What is trained.</param>
    /// <exception cref="UserErrorException">It cannot be used.</exception>
    public static Reference Of(TrainingOptions settings, ModelConfig model)
    {
        string? begun = settings.Resumed?.Settings.GetValueOrDefault(SavedSettings.ReferenceFingerprint);
        if (begun is not null && settings.Reference == settings.Resumed!.Settings.GetValueOrDefault(SavedSettings.ReferenceName))
        {
            return new Reference(settings, model, begun);
        }

        using var source = Open(settings, settings.Reference ?? settings.Plan.Model, model);
        string now = source.Fingerprint(settings.Seed);
        return begun is null || begun == now
            ? new Reference(settings, model, now)
            : throw new UserErrorException(
                $"the run in {settings.Resumed!.Folder} compares pairs by another reference than {settings.Reference}; leave --reference "
                    + "out"
            );
    }

    /// <summary>
    /// Finds what it makes of all pairs, or reads what it made of them before. The trainer's weights are its own afterwards, unless all was
    /// known.
    /// </summary>
    /// <param name="trainer">Of the run, with the evaluation step.</param>
    /// <param name="pairs">The sets of pairs.</param>
    /// <param name="device">What the numbers depend on besides model, data and geometry.</param>
    /// <param name="geometry">Of the run's steps.</param>
    /// <param name="describe">Says of so many rows which steps they take, and how long these are predicted to be.</param>
    /// <param name="note">Told what was done.</param>
    /// <exception cref="UserErrorException">Its weights are other ones than those that the run began with.</exception>
    public void Fill(
        Trainer trainer,
        IEnumerable<(PreferenceDocuments Documents, RowSettings Rows)> pairs,
        string device,
        Geometry geometry,
        Func<long, string> describe,
        Action<string> note
    )
    {
        var cache = new ReferenceCache(settings.Plan.NoCache ? null : Locations.Cache(CacheName));
        bool loaded = false;
        foreach (var (documents, rows) in pairs)
        {
            long count = documents.Await(long.MaxValue);
            string key = string.Join(
                '\n',
                documents.Fingerprint,
                $"{rows.Seqlen} {rows.Overlong}",
                Fingerprint,
                ModelConfigWriter.Stored(model),
                model.Adapter?.Text,
                model.Frozen?.Patterns,
                settings.Plan.Recipe.Name,
                geometry.ToString(),
                device
            );
            documents.References = null;
            if (cache.Read(key, 2 * count) is { } known)
            {
                documents.References = known;
                note($"the reference's log-probabilities of {count:N0} pairs of {documents.Name} are known from an earlier run");
                continue;
            }

            if (!loaded)
            {
                Load(trainer);
                loaded = true;
            }

            var clock = Stopwatch.StartNew();
            var asked = new DocumentRows(documents, rows with { HeldBack = 0 }, model.VocabSize);
            double[] found = Work.Named("comparing pairs by the reference", () => Found(trainer, asked, count));
            cache.Write(key, found);
            documents.References = found;
            note(
                $"the reference, {named}{(model.Adapter is null ? "" : " without an adapter")}, gave the log-probabilities of {count:N0} "
                    + $"pairs of {documents.Name} in {clock.Elapsed.TotalSeconds:0.0} s ({describe(asked.RowCount)})"
            );
        }
    }

    private void Load(Trainer trainer)
    {
        using var source = Open(settings, named, model);
        if (source.Fingerprint(settings.Seed) != Fingerprint)
        {
            throw new UserErrorException(
                $"the weights of {named} are not those that the run in {settings.Resumed!.Folder} compares pairs by; give the model that "
                    + "it began with by --reference"
            );
        }

        Work.Named("loading the reference", () =>
        {
            trainer.Load(source.Weights(settings.Seed));
            return true;
        });
    }

    private static double[] Found(Trainer trainer, DocumentRows rows, long count)
    {
        double[] found = new double[checked(2 * count)];
        Array.Fill(found, double.NaN); // of pairs that are left out
        trainer.EvaluatePairs(
            rows,
            () => false,
            pair =>
            {
                long document = rows.NumberOf(pair.Row, pair.Document / 2);
                (found[2 * document], found[(2 * document) + 1]) = pair.Policy;
            }
        );
        return found;
    }

    /// <summary>Its weights with whatever an adapter begins with, which changes nothing.</summary>
    private static ModelSource Open(TrainingOptions settings, string named, ModelConfig model)
    {
        var source = ModelSource.Open(named)
            .Freezing(settings.Plan.Freeze)
            .With(model.Adapter is { } adapter ? new AdapterOptions { Config = adapter.Config } : null);
        if (Plain(source.Model) == Plain(model))
        {
            return source;
        }

        source.Dispose();
        throw new UserErrorException(
            $"the reference {named} is of another model than the one that is trained: its config.json says other sizes or kinds of layers; "
                + "give a model of the same architecture");

        static ModelConfig Plain(ModelConfig config) => config with { Name = "", Frozen = null, Adapter = null };
    }
}
