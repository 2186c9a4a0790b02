using System.Diagnostics;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda;

/// <summary>
/// Waits for a machine whose memory grows as it is used: what touches pages on all cores is faster than what plugs them in, and a
/// process that outruns it is killed.
/// </summary>
internal static class GrowingMemory
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Returns when so much is free, or when the machine has stood still for so long: some grow only once what they have is taken, and a
    /// machine that does not grow at all fails where it would have failed anyway.
    /// </summary>
    /// <param name="wanted">By all threads together.</param>
    /// <param name="patience">How long a machine that does not grow is waited for.</param>
    /// <param name="read">What the machine has now; asked again and again.</param>
    public static void Await(Bytes wanted, TimeSpan patience, Func<MachineMemory> read)
    {
        var still = Stopwatch.StartNew();
        var last = Bytes.Zero;
        while (true)
        {
            var now = read();
            if (now.Available >= wanted || still.Elapsed >= patience)
            {
                return;
            }

            if (now.Total > last)
            {
                last = now.Total;
                still.Restart();
            }

            Thread.Sleep(s_pause);
        }
    }
}
