using Dataflow.Model;
using Dataflow.Reports;

namespace Dataflow;

/// <summary>An experiment and its result file, claimed until this is let go.</summary>
public sealed class SweepRun : IDisposable
{
    private readonly SweepExperiment experiment;
    private readonly IReadOnlyList<SweepCell> cells;
    private readonly SweepRequests requests;
    private readonly SweepFile file;
    private readonly SweepTimelines? timelines;

    /// <summary>Starts a result file or goes on with it.</summary>
    /// <param name="experiment">What is run.</param>
    /// <param name="path">The result file.</param>
    /// <param name="timelines">Whether pages with timelines are written beside it.</param>
    /// <exception cref="UserErrorException">A model or a profile is not there, or the file is of something else.</exception>
    public SweepRun(SweepExperiment experiment, string path, bool timelines)
    {
        this.experiment = experiment;
        cells = experiment.Cells();
        requests = new SweepRequests(experiment);
        var fingerprint = requests.Fingerprint();
        fingerprint["timelines"] = timelines ? true : null;
        file = SweepFile.Open(path, fingerprint, cells);
        if (!timelines)
        {
            return;
        }

        try
        {
            this.timelines = new SweepTimelines(path);
            if (Before == 0)
            {
                this.timelines.Clear();
            }
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>What files of its models say in vain, a sentence each.</summary>
    public IReadOnlyList<string> Notes => requests.Notes;

    /// <summary>Cells of the experiment.</summary>
    public int Cells => cells.Count;

    /// <summary>Cells that the file had before.</summary>
    public int Before => file.Done.Count;

    /// <summary>Makes what is missing.</summary>
    /// <param name="cache">Of plans.</param>
    /// <param name="run">Runs what is measured.</param>
    /// <param name="done">Told of each cell whether it is feasible, from several threads.</param>
    /// <returns>All rows, in the experiment's order.</returns>
    public IReadOnlyList<ResultRow> Finish(PlanCache cache, TrainingProcess run, Action<bool> done)
    {
        var left = cells.Where(c => !file.Done.Contains(c.Key)).ToList();
        string? commit = Locations.Commit();
        void Done(ResultRow row)
        {
            file.Append(row);
            done(row.Feasible);
        }

        if (experiment.Measurement is { } how)
        {
            foreach (var cell in left)
            {
                Done(MeasuredCell.Run(cell, requests.Of(cell), how, cache, commit, timelines, run));
            }
        }
        else
        {
            SimulationGroups.Answer([.. left.Select(requests.Of)], cache, (i, answer) =>
            {
                var row = SweepRow.Of(left[i], answer, commit);
                timelines?.Write(row, answer);
                Done(row);
            });
        }

        return file.Finish(cells);
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
