using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>Saving a run and going on with it.</summary>
internal static class Resumption
{
    /// <summary>
    /// The settings of a run that goes on with a saved one: its geometry, whatever the budgets and the policy. What was given besides has to agree, for
    /// results would not be those of an unbroken run.
    /// </summary>
    /// <exception cref="UserErrorException">Seed, recipe or geometry differ, or there is nothing left to do.</exception>
    public static TrainingSettings Continue(TrainingSettings settings, TrainingProgress? saved)
    {
        if (saved is null)
        {
            return settings;
        }

        var plan = settings.Plan;
        if (saved.Recipe != plan.Recipe.Name || saved.Seed != settings.Seed)
        {
            throw new UserErrorException($"the checkpoint was made with --dtype {saved.Recipe} --seed {saved.Seed}, and this run has --dtype {plan.Recipe.Name} --seed {settings.Seed}; give the same");
        }

        var (g, pins) = (saved.Geometry, plan.Pins);
        bool agrees = plan.Seqlen == g.Seqlen && Same(plan.GlobalBatch, g.TokensPerStep)
            && Same(pins.ChunkTokens is { } chunk ? Math.Min(chunk, g.TokensPerStep) : null, g.ChunkTokens) // a larger chunk would be padding
            && Same(pins.ChunksPerRound, g.ChunksPerRound) && Same(pins.Rounds, g.Rounds) && Same(pins.VocabularyBlocks, g.VocabularyBlocks);
        return !agrees ? throw AnotherGeometry(g)
            : saved.Step >= settings.Steps ? throw new UserErrorException($"the checkpoint is of step {saved.Step} and --steps is {settings.Steps}; give more steps to go on")
            : settings with
            {
                Plan = plan with { GlobalBatch = g.TokensPerStep, Pins = new GeometryPins(g.ChunkTokens, g.ChunksPerRound, g.Rounds, g.VocabularyBlocks, g.HeadTokens) },
            };
    }

    /// <summary>Refuses a plan that would not go on with the results of an unbroken run.</summary>
    /// <exception cref="UserErrorException">Its geometry is another one.</exception>
    public static void Check(TrainingProgress? saved, Geometry planned)
    {
        if (saved is not null && saved.Geometry != planned)
        {
            throw AnotherGeometry(saved.Geometry);
        }
    }

    private static bool Same(long? given, long saved) => given is null || given == saved;

    private static UserErrorException AnotherGeometry(Geometry g) => new(
        $"the checkpoint was made with another geometry, on which results depend; give --seqlen {g.Seqlen} --global-batch {g.TokensPerStep} --chunk {g.ChunkTokens} --chunks-per-round {g.ChunksPerRound} --rounds {g.Rounds} --vocabulary-blocks {g.VocabularyBlocks}");

    /// <summary>Saves the run if that was asked for.</summary>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public static void Save(TrainingSettings settings, Trainer trainer, TrainingProgress progress, Recipe recipe)
    {
        if (settings.Checkpoint is var (folder, _) && trainer.StepsDone > 0)
        {
            TrainingCheckpoint.Save(folder, trainer, progress with { Step = trainer.StepsDone }, recipe);
        }
    }
}
