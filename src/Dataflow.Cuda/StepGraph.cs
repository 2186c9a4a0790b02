using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda;

/// <summary>
/// The launches of a step as a CUDA graph: the schedule op by op as it is, captured once and launched by one call, so that the GPU does not
/// wait for the host between small kernels. A first step that is launched op by op comes before: by then modules are loaded, which a
/// capture forbids. Everything that may differ between two steps lies in memory (tokens, the step's arguments) or is a
/// <see cref="LaunchValues"/>: a step with other values is launched op by op, and the next one is captured anew.
/// </summary>
/// <param name="schedule">Whose steps they are.</param>
/// <param name="context">Of the GPU.</param>
/// <param name="streams">Of the schedule.</param>
/// <param name="refused">Told why there will be no graph; null: that is an error.</param>
internal sealed class StepGraph(Schedule schedule, CudaContext context, ImmutableArray<CudaStream> streams, Action<string>? refused)
    : IDisposable
{
    private CudaGraph? graph;
    private LaunchValues? values;
    private bool isRefused;

    /// <summary>Whether the step that begins is launched as a graph, which is made here where it can be.</summary>
    /// <param name="now">What its launches are given.</param>
    /// <param name="append">Appends the launches of an op to its stream, and records the op's event of those given, if it has one.</param>
    /// <exception cref="MachineException">The driver refuses, and nobody is to be told.</exception>
    public bool Takes(in LaunchValues now, Action<int, CudaEvent?[]> append)
    {
        if (isRefused || now.Extent is not null)
        {
            return false;
        }

        if (values != now)
        {
            graph?.Dispose();
            (graph, values) = (null, now);
            return false;
        }

        try
        {
            graph ??= Capture(append);
        }
        catch (CudaException e)
        {
            isRefused = true;
            string why = $"steps cannot be launched as CUDA graphs: {e.Message}";
            if (refused is null)
            {
                throw new MachineException($"{why}; give --cuda-graphs off");
            }

            refused($"{why}; they are launched op by op");
        }

        return graph is not null;
    }

    /// <summary>Launches it.</summary>
    public void Launch() => graph!.Launch(streams[StepStreams.Compute]);

    /// <inheritdoc/>
    public void Dispose() => graph?.Dispose();

    // Events of its own: one that was recorded in a capture cannot be waited for outside. The step before has ended when a step begins, so
    // waits for its ops are no edges of the graph.
    private CudaGraph Capture(Action<int, CudaEvent?[]> append)
    {
        var ops = schedule.Ops;
        var completions = new CudaEvent?[ops.Length];
        CudaEvent[] ends = [.. streams.Select(_ => CudaEvent.Create(context))];
        foreach (var wait in ops.SelectMany(o => o.Waits).Where(w => w.Distance == 0))
        {
            completions[wait.Op] ??= CudaEvent.Create(context);
        }

        try
        {
            var origin = streams[StepStreams.Compute];
            return CudaGraph.Capture(
                context,
                origin,
                () =>
                {
                    Join(origin, ends, fork: true);
                    for (int i = 0; i < ops.Length; i++)
                    {
                        foreach (var wait in ops[i].Waits.Where(w => w.Distance == 0))
                        {
                            streams[ops[i].Stream].Wait(completions[wait.Op]!);
                        }

                        append(i, completions);
                    }

                    Join(origin, ends, fork: false);
                }
            );
        }
        finally
        {
            foreach (var made in ends.Concat(completions))
            {
                made?.Dispose();
            }
        }
    }

    /// <summary>The other streams wait for the first, or it for all of them.</summary>
    private void Join(CudaStream origin, CudaEvent[] ends, bool fork)
    {
        for (int s = 0; s < streams.Length; s++)
        {
            if (streams[s] != origin)
            {
                var (first, second) = fork ? (origin, streams[s]) : (streams[s], origin);
                first.Record(ends[s]);
                second.Wait(ends[s]);
            }
        }
    }
}
