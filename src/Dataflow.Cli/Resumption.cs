using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>Saving a run and going on with it.</summary>
internal static class Resumption
{
    /// <summary>Refuses to go on where the results would not be those of an unbroken run.</summary>
    /// <exception cref="UserErrorException">Seed, recipe or geometry differ, or there is nothing left to do.</exception>
    public static void Check(TrainingProgress? saved, TrainingProgress now, int steps)
    {
        if (saved is null)
        {
            return;
        }

        if (saved.Recipe != now.Recipe || saved.Seed != now.Seed)
        {
            throw new UserErrorException($"the checkpoint was made with --dtype {saved.Recipe} --seed {saved.Seed}, and this run has --dtype {now.Recipe} --seed {now.Seed}; give the same");
        }

        if (saved.Geometry != now.Geometry)
        {
            var g = saved.Geometry;
            throw new UserErrorException(
                $"the checkpoint was made with another geometry, on which results depend; give --seqlen {g.Seqlen} --global-batch {g.TokensPerStep} --chunk {g.ChunkTokens} --chunks-per-round {g.ChunksPerRound} --rounds {g.Rounds} --vocabulary-blocks {g.VocabularyBlocks}");
        }

        if (saved.Step >= steps)
        {
            throw new UserErrorException($"the checkpoint is of step {saved.Step} and --steps is {steps}; give more steps to go on");
        }
    }

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
