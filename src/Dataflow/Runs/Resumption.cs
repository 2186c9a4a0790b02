using System.Globalization;
using Dataflow.Corpora;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Going on with a run that was saved.</summary>
internal static class Resumption
{
    /// <summary>
    /// The settings of a run that goes on with a saved one: its geometry, whatever the budgets and the policy. What was given besides has
    /// to agree, for results would not be those of an unbroken run; but a batch of another size asks for just that, and is a change.
    /// </summary>
    /// <exception cref="UserErrorException">Seed, recipe, what is frozen or geometry differ, or there is nothing left to do.</exception>
    public static TrainingOptions Continue(TrainingOptions settings)
    {
        if (settings.Resumed is not { Checkpoint.Progress: var saved } run)
        {
            return settings;
        }

        var plan = settings.Plan;
        if (saved.Optimizer != plan.Optimizer.Name)
        {
            throw new UserErrorException(
                $"the checkpoint was made with --optimizer {saved.Optimizer}, and this run has --optimizer {plan.Optimizer}; give the "
                    + "same, or leave it out"
            );
        }

        if (saved.Recipe != plan.Recipe.Name || saved.Seed != settings.Seed)
        {
            throw new UserErrorException(
                $"the checkpoint was made with --dtype {saved.Recipe} --seed {saved.Seed}, and this run has --dtype {plan.Recipe.Name} "
                    + $"--seed {settings.Seed}; give the same, or leave them out"
            );
        }

        SavedGroups.CheckFrozen(run, plan.Freeze);
        CheckAdapter(run, plan.Adapter);
        if (run.Settings.GetValueOrDefault(SavedSettings.BaseWeights) is var stored && stored != plan.BaseWeights?.Name())
        {
            throw new UserErrorException(
                $"the run in {run.Folder} trains an adapter {Stored(stored)}, and this one is to do so {Stored(plan.BaseWeights?.Name())}; "
                    + "give the same, or leave it out"
            );
        }

        var (g, pins) = (saved.Geometry, plan.Pins);
        bool otherBatch = !Same(plan.GlobalBatch, g.TokensPerStep);
        bool agrees = plan.Seqlen == g.Seqlen && (otherBatch
            // a larger chunk would be padding
            || (Same(pins.ChunkTokens is { } chunk ? Math.Min(chunk, g.TokensPerStep) : null, g.ChunkTokens)
            && Same(pins.ChunksPerRound, g.ChunksPerRound)
            && Same(pins.Rounds, g.Rounds)
            && Same(pins.VocabularyBlocks, g.VocabularyBlocks)
            && Same(pins.HeadTokens, g.HeadTokens)));
        var provider = g.Cudnn is null ? AttentionProvider.Own : AttentionProvider.Cudnn;
        return !agrees ? throw AnotherGeometry(g)
            : plan.Attention is { } given && given != provider ? throw AnotherAttention(g)
            : saved.Step >= settings.Steps
                ? throw new UserErrorException(
                    $"the run in {run.Folder} has done {saved.Step} steps and is to have {settings.Steps}; give a larger --steps to go on"
                )
            : otherBatch ? settings with { Plan = plan with { Continued = g } }
            : settings with
            {
                Plan = plan with
                {
                    GlobalBatch = g.TokensPerStep,
                    Pins = new GeometryPins(g.ChunkTokens, g.ChunksPerRound, g.Rounds, g.VocabularyBlocks, g.HeadTokens),
                    Continued = g,
                },
            };
    }

    /// <summary>Refuses another adapter than the one that the run trains.</summary>
    /// <exception cref="UserErrorException">It is another.</exception>
    private static void CheckAdapter(SavedRun run, AdapterOptions? given)
    {
        if (given is null)
        {
            return;
        }

        if (!run.Checkpoint.IsOfAdapter)
        {
            throw new UserErrorException(
                $"the run in {run.Folder} trains the model itself, and this one is to train an adapter; leave out --adapter and --lora "
                    + "options, or start a new run with the checkpoint as its model"
            );
        }

        if (given.Resolved is var now && AdapterFolder.ConfigOf(run.Checkpoint.Folder) is var before && now != before)
        {
            throw new UserErrorException(
                $"the run in {run.Folder} trains the adapter {before}, and this one is to train {now}; leave out --adapter and --lora "
                    + "options to go on with it"
            );
        }
    }

    /// <summary>Refuses another base of an adapter than the one that the run began with.</summary>
    /// <param name="run">The saved one; null: there is none.</param>
    /// <param name="named">How the base is named.</param>
    /// <param name="now">What tells it from others; null: there is no adapter.</param>
    /// <exception cref="UserErrorException">It is another.</exception>
    public static void CheckBase(SavedRun? run, string named, string? now)
    {
        if (run is not null && now is not null && run.Settings.GetValueOrDefault(SavedSettings.BaseFingerprint) != now)
        {
            throw new UserErrorException(
                $"the weights of {named} are not those that the run in {run.Folder} trains an adapter of; give the model that it began with"
            );
        }
    }

    /// <summary>Refuses a plan that would not go on with the results of an unbroken run.</summary>
    /// <exception cref="UserErrorException">Its geometry is another one.</exception>
    public static void Check(SavedRun? run, Geometry planned)
    {
        if (run is not { Checkpoint.Progress.Geometry: var saved } || saved == planned)
        {
            return;
        }

        if (saved.TokensPerStep != planned.TokensPerStep
            && (saved.Seqlen, saved.Cudnn, saved.TargetWeights, saved.Pairs)
                == (planned.Seqlen, planned.Cudnn, planned.TargetWeights, planned.Pairs))
        {
            return; // another batch was asked for
        }

        throw saved.Cudnn != planned.Cudnn ? AnotherAttention(saved)
            : saved.TargetWeights == planned.TargetWeights
            ? AnotherGeometry(saved)
            : new UserErrorException(
                $"the checkpoint was made with data whose targets have {(saved.TargetWeights ? "" : "no ")}weights, and now they have "
                    + $"{(saved.TargetWeights ? "none" : "some")}; give the same data"
            );
    }

    /// <summary>What a run has otherwise than the one that it goes on with; nothing where it begins.</summary>
    public static IReadOnlyList<SettingChange> Changes(SavedRun? run, TrainingProgress now)
    {
        if (run is not { Checkpoint.Progress.Geometry.TokensPerStep: var before })
        {
            return [];
        }

        static string Text(long tokens) => tokens.ToString(CultureInfo.InvariantCulture);
        SettingChange[] batch = before == now.Geometry.TokensPerStep
            ? []
            : [new SettingChange("global-batch", Text(before), Text(now.Geometry.TokensPerStep))];
        return [.. batch, .. SavedSettings.Changes(run.Settings, now.Settings)];
    }

    /// <summary>Takes training data to where a checkpoint left off; to its beginning where there is none.</summary>
    /// <exception cref="UserErrorException">The checkpoint's position is none of this data.</exception>
    public static void Seek(IRowFeed feed, StoredCheckpoint? loaded)
    {
        if (loaded is not { Progress: var progress })
        {
            return;
        }

        // Checkpoints of a program that numbered all rows say none: so many were taken.
        feed.Seek(progress.Settings.GetValueOrDefault(SavedSettings.DataPosition) is { Length: > 0 } position ? position
            : ((long)progress.Step * progress.Geometry.Rows).ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>The sums over all runs until a checkpoint.</summary>
    public static RunSummary Sums(RunSummary summary, IReadOnlyDictionary<string, string> saved, int steps) =>
        summary with
        {
            StepsBefore = steps,
            TokensBefore = long.TryParse(
                saved.GetValueOrDefault(SavedSettings.TrainedTokens),
                NumberStyles.None,
                CultureInfo.InvariantCulture,
                out long tokens
            )
                ? tokens
                : 0,
            SecondsBefore = double.TryParse(
                saved.GetValueOrDefault(SavedSettings.TrainedSeconds),
                NumberStyles.Float,
                CultureInfo.InvariantCulture,
                out double seconds
            )
                ? seconds
                : 0,
        };

    private static string Stored(string? type) => type is null ? "without --base-weights" : $"with --base-weights {type}";

    private static bool Same(long? given, long saved) => given is null || given == saved;

    private static UserErrorException AnotherAttention(Geometry g) =>
        new(
            $"the checkpoint was made with attention by {(g.Cudnn is { } target ? $"cuDNN {target}" : "our own kernels")}, on which "
                + "results depend; leave --attention out"
        );

    private static UserErrorException AnotherGeometry(Geometry g) =>
        new(
            $"the checkpoint was made with another geometry, on which results depend; give --seqlen {g.Seqlen} --global-batch "
                + $"{g.TokensPerStep} --chunk {g.ChunkTokens} --chunks-per-round {g.ChunksPerRound} --rounds {g.Rounds} "
                + $"--vocabulary-blocks {g.VocabularyBlocks}, or leave them out"
        );
}
