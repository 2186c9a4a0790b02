using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Planning;

/// <summary>
/// The order in which fetches are issued: whenever the link is free, of those whose slot is free too, the one that is needed first.
/// A copy queue is first in, first out: a fetch whose slot is still occupied would hold up all behind it, although the link could work.
/// When slots become free is found by running the program with the times that its ops take; if the machine's times are others, the order
/// costs time, never correctness.
/// </summary>
internal static class FetchOrder
{
    /// <summary>
    /// Fetches by need and by when they can start. One that is ready and needed first never waits for one issued after it is needed.
    /// </summary>
    /// <param name="fetches">Of a step, in order of their consumers: what is best if nothing is known of times.</param>
    /// <param name="saves">Of the step, in order of production.</param>
    /// <param name="opNanoseconds">Of each compute op.</param>
    /// <param name="links">Rates of the links; all fetches and saves cross the nearest one.</param>
    public static Travel[] ByTime(Travel[] fetches, Travel[] saves, long[] opNanoseconds, LinkRates links) =>
        new Run(fetches, saves, opNanoseconds, links).Order();

    private sealed class Run(Travel[] fetches, Travel[] saves, long[] opNanoseconds, LinkRates links)
    {
        private readonly double toDevice = links.Links[LinkDirection.HostToDevice.Index].BothBusy;
        private readonly double toHost = links.Links[LinkDirection.DeviceToHost.Index].BothBusy;
        private readonly Dictionary<int, double> saved = [];
        private readonly PriorityQueue<int, (double At, int Fetch)> occupied = new();
        private readonly PriorityQueue<int, int> ready = new();
        private readonly Travel[] order = new Travel[fetches.Length];
        private int ordered;
        private int nextSave;
        private double toDeviceFree;
        private double toHostFree;

        public Travel[] Order()
        {
            int[] byIssue = [.. Enumerable.Range(0, fetches.Length).OrderBy(f => fetches[f].IssueAfter).ThenBy(f => f)];
            var ends = new double[fetches.Length];
            int known = 0, needed = 0;
            double now = 0;
            for (int op = 0; op < opNanoseconds.Length; op++)
            {
                Save(op - 1, now);
                for (; known < byIssue.Length && fetches[byIssue[known]].IssueAfter < op; known++)
                {
                    double free = Math.Max(now, saved.GetValueOrDefault(fetches[byIssue[known]].Slot));
                    occupied.Enqueue(byIssue[known], (free, byIssue[known]));
                }

                for (; needed < fetches.Length && fetches[needed].Deadline == op; needed++)
                {
                    while (ends[needed] == 0)
                    {
                        int fetch = Next();
                        toDeviceFree += fetches[fetch].Length.Value / toDevice;
                        ends[fetch] = toDeviceFree;
                        order[ordered++] = fetches[fetch];
                    }

                    now = Math.Max(now, ends[needed]);
                }

                now += opNanoseconds[op];
            }

            return order;
        }

        private void Save(int op, double now)
        {
            for (; nextSave < saves.Length && saves[nextSave].IssueAfter <= op; nextSave++)
            {
                toHostFree = Math.Max(toHostFree, now) + (saves[nextSave].Length.Value / toHost);
                saved[saves[nextSave].Slot] = toHostFree;
            }
        }

        /// <summary>What the link takes up next; the link waits if no slot is free.</summary>
        private int Next()
        {
            while (true)
            {
                while (occupied.TryPeek(out int fetch, out var until) && until.At <= toDeviceFree)
                {
                    ready.Enqueue(occupied.Dequeue(), fetch);
                }

                if (ready.TryDequeue(out int first, out _))
                {
                    return first;
                }

                occupied.TryPeek(out _, out var earliest);
                toDeviceFree = earliest.At;
            }
        }
    }
}
