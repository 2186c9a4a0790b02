namespace Dataflow;

/// <summary>Makes requests again that failed in a way that may pass: after 1 s, doubled up to 8 s, or when the server says.</summary>
internal sealed class Retries(HubSettings settings, Action<HubEvent> tell)
{
    /// <summary>So often without a byte more than before.</summary>
    public const int Most = 5;

    private static readonly TimeSpan s_first = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(8);

    // The hub counts requests in windows of five minutes; whoever asks to wait much longer means something else.
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(15);

    /// <summary>Does it until it succeeds or fails for good.</summary>
    /// <param name="what">What is asked for, for people.</param>
    /// <param name="request">Does it once.</param>
    /// <param name="at">How far it is: as long as that grows it is not given up. It may fall again where a server sends all anew.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="HubDownException">It failed too often.</exception>
    public async Task<T> Run<T>(string what, Func<Task<T>> request, Func<long> at, CancellationToken stop)
    {
        long furthest = at();
        for (int failed = 0; ;)
        {
            string why;
            TimeSpan? asked;
            try
            {
                return await request().ConfigureAwait(false);
            }
            catch (PassingFaultException e)
            {
                (why, asked) = (e.Message, e.Wait);
            }

            stop.ThrowIfCancellationRequested();
            if (at() > furthest)
            {
                (furthest, failed) = (at(), 0);
            }

            if (failed == Most || asked > s_patience)
            {
                throw new HubDownException($"{what} could not be fetched: {why}" + (asked > s_patience
                    ? $", and asks to wait {asked.Value.TotalMinutes:0} minutes; try again then"
                    : $", after {Most} more tries; try again later, and what has come is kept"), why);
            }

            var wait = asked ?? TimeSpan.FromTicks(Math.Min(s_longest.Ticks, s_first.Ticks << failed));
            failed++;
            tell(new HubEvent.Retrying(what, why, wait));
            await Task.Delay(wait, settings.Clock, stop).ConfigureAwait(false);
        }
    }
}
