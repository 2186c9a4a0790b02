using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Dataflow.Schedules.Internals;

namespace Dataflow.Schedules;

/// <summary>
/// Derives the waits of a schedule from the bytes its ops access. Two ops conflict if they access a common byte and one writes it; the
/// later op then has to start after the completion of the earlier one, in the same step or, because a step is a loop body, in the step
/// after.
///
/// The result is the transitive reduction: a wait is left out if FIFO order, the op's other waits and theirs in turn imply it. Each op is
/// looked at twice, in two unrolled steps. Conflicts within a step can only be ordered by waits within a step, so the first pass finds
/// those of distance 0; the second finds what conflicts with the step before are left. Conflicts further apart follow, since the op itself
/// also ran in the step between.
/// </summary>
public static class WaitInference
{
    /// <summary>
    /// The schedule with the waits of every op replaced by those its accesses call for, sorted by distance, then op. The schedule must
    /// satisfy the verifier's structure rule, waits aside. Writing the inputs before a step is the runtime's business: no wait stands for
    /// it.
    /// </summary>
    public static Schedule Infer(Schedule withoutWaits)
    {
        ArgumentNullException.ThrowIfNull(withoutWaits);
        return withoutWaits with { Ops = new Pass(withoutWaits).Run() };
    }

    /// <summary>
    /// Positions count the ops of a stream over both steps: op k of a stream with c ops is at k in the first and at c + k in the second.
    /// A clock holds for each stream the last position known to be complete, or -1.
    /// </summary>
    private sealed class Pass
    {
        private readonly Schedule schedule;
        private readonly SegmentedAccesses accesses;
        private readonly int opCount;
        private readonly int streamCount;
        private readonly int[] streamOf; // [op]
        private readonly int[] indexInStream;
        private readonly int[][] opsOfStream;
        private readonly int[] clocks; // [node, stream], node = step * opCount + op, at the node's completion
        private readonly int[] sameStep; // [op, stream]: position waited for at distance 0, or -1
        private readonly int[] writerStream; // [segment]: the stream of the last writer, or -1
        private readonly int[] writerPosition; // [segment]
        private readonly int[][] readers; // [stream][segment]: last reader, or -1
        private readonly long[] sortKeys;

        public Pass(Schedule schedule)
        {
            this.schedule = schedule;
            accesses = SegmentedAccesses.Of(schedule);
            opCount = schedule.Ops.AsSpan().Length;
            streamCount = schedule.Streams.AsSpan().Length;
            clocks = new int[2 * opCount * streamCount];
            sameStep = new int[opCount * streamCount];
            writerStream = new int[accesses.SegmentCount];
            writerPosition = new int[accesses.SegmentCount];
            readers = [.. Enumerable.Range(0, streamCount).Select(_ => new int[accesses.SegmentCount])];
            sortKeys = new long[2 * streamCount];
            Array.Fill(writerStream, -1);
            Array.ForEach(readers, r => Array.Fill(r, -1));

            (streamOf, indexInStream) = (new int[opCount], new int[opCount]);
            var perStream = new int[streamCount];
            for (int i = 0; i < opCount; i++)
            {
                streamOf[i] = schedule.Ops[i].Stream;
                indexInStream[i] = perStream[streamOf[i]]++;
            }

            opsOfStream = [.. perStream.Select(count => new int[count])];
            for (int i = 0; i < opCount; i++)
            {
                opsOfStream[streamOf[i]][indexInStream[i]] = i;
            }
        }

        public ImmutableArray<ScheduledOp> Run()
        {
            var result = new ScheduledOp[opCount];
            var lastOfStream = new int[streamCount];
            Array.Fill(lastOfStream, -1);
            Span<int> needs = new int[streamCount];
            Span<int> kept = new int[streamCount];
            for (int step = 0; step < 2; step++)
            {
                for (int i = 0; i < opCount; i++)
                {
                    int node = (step * opCount) + i;
                    int stream = streamOf[i];
                    Span<int> clock = Clock(node);
                    StartClock(clock, lastOfStream[stream]);
                    Span<int> waits = sameStep.AsSpan(i * streamCount, streamCount);
                    if (step == 1)
                    {
                        Join(clock, waits, step);
                    }

                    int position = (step * opsOfStream[stream].Length) + indexInStream[i];
                    CollectNeeds(i, stream, position, needs);
                    Reduce(needs, clock, kept);
                    Join(clock, kept, step: 0);
                    clock[stream] = position;
                    lastOfStream[stream] = node;
                    if (step == 0)
                    {
                        kept.CopyTo(waits);
                    }
                    else
                    {
                        // What a step's own waits do not cover can only lie in the step before.
                        result[i] = schedule.Ops[i] with { Waits = ToWaits(waits, kept) };
                    }
                }
            }

            return ImmutableCollectionsMarshal.AsImmutableArray(result);
        }

        private Span<int> Clock(int node) => clocks.AsSpan(node * streamCount, streamCount);

        private Span<int> ClockAt(int stream, int position)
        {
            int[] ops = opsOfStream[stream];
            return Clock(position < ops.Length ? ops[position] : opCount + ops[position - ops.Length]);
        }

        private void StartClock(Span<int> clock, int previousOfStream)
        {
            if (previousOfStream < 0)
            {
                clock.Fill(-1);
            }
            else
            {
                Clock(previousOfStream).CopyTo(clock);
            }
        }

        /// <summary>Adds to a clock what is known once the given positions (-1: none), counted from a step's start, are complete.</summary>
        private void Join(Span<int> clock, ReadOnlySpan<int> positions, int step)
        {
            for (int s = 0; s < positions.Length; s++)
            {
                if (positions[s] >= 0)
                {
                    ReadOnlySpan<int> other = ClockAt(s, (step * opsOfStream[s].Length) + positions[s]);
                    for (int t = 0; t < clock.Length; t++)
                    {
                        clock[t] = Math.Max(clock[t], other[t]);
                    }
                }
            }
        }

        /// <summary>The last position of each stream with which the op conflicts; then records the op's own accesses.</summary>
        private void CollectNeeds(int op, int stream, int position, Span<int> needs)
        {
            needs.Fill(-1);
            for (int a = accesses.OpStart[op]; a < accesses.OpStart[op + 1]; a++)
            {
                int first = accesses.First[a], count = accesses.End[a] - first;
                Span<int> writers = writerStream.AsSpan(first, count), positions = writerPosition.AsSpan(first, count);
                for (int i = 0; i < count; i++)
                {
                    int writer = writers[i];
                    if (writer >= 0 && needs[writer] < positions[i])
                    {
                        needs[writer] = positions[i];
                    }
                }

                if (!accesses.Writes[a])
                {
                    readers[stream].AsSpan(first, count).Fill(position);
                    continue;
                }

                // Its readers may stay: they precede this write, so reduction drops them beside it.
                writers.Fill(stream);
                positions.Fill(position);
                for (int s = 0; s < needs.Length; s++)
                {
                    foreach (int reader in readers[s].AsSpan(first, count))
                    {
                        needs[s] = Math.Max(needs[s], reader);
                    }
                }
            }

            needs[stream] = -1;
        }

        /// <summary>Keeps the needs that neither the clock nor another need implies.</summary>
        private void Reduce(ReadOnlySpan<int> needs, ReadOnlySpan<int> clock, Span<int> kept)
        {
            for (int s = 0; s < needs.Length; s++)
            {
                kept[s] = needs[s] > clock[s] && !ImpliedByAnother(s, needs) ? needs[s] : -1;
            }
        }

        // Happens-before has no cycles, so two needs never imply each other and dropping all implied ones at once loses nothing.
        private bool ImpliedByAnother(int stream, ReadOnlySpan<int> needs)
        {
            for (int s = 0; s < needs.Length; s++)
            {
                if (s != stream && needs[s] >= 0 && ClockAt(s, needs[s])[stream] >= needs[stream])
                {
                    return true;
                }
            }

            return false;
        }

        private ImmutableArray<Wait> ToWaits(ReadOnlySpan<int> same, ReadOnlySpan<int> before)
        {
            Span<long> keys = sortKeys;
            int count = 0;
            for (int s = 0; s < streamCount; s++)
            {
                if (same[s] >= 0)
                {
                    keys[count++] = opsOfStream[s][same[s]];
                }

                if (before[s] >= 0)
                {
                    keys[count++] = opCount + opsOfStream[s][before[s]];
                }
            }

            if (count == 0)
            {
                return [];
            }

            keys[..count].Sort();
            var waits = new Wait[count];
            for (int k = 0; k < count; k++)
            {
                waits[k] = new Wait((int)(keys[k] % opCount), (int)(keys[k] / opCount));
            }

            return ImmutableCollectionsMarshal.AsImmutableArray(waits);
        }
    }
}
