using System.Collections.Concurrent;
using System.Globalization;

namespace Dataflow;

/// <summary>
/// A thread that does what it is asked to, in order: a device's context belongs to the thread that made it, and a caller's `await` may go
/// on with any.
/// </summary>
internal sealed class OwnThread : IDisposable
{
    private readonly BlockingCollection<Action> wanted = [];
    private readonly Thread thread;

    /// <param name="name">For debuggers and profilers.</param>
    public OwnThread(string name)
    {
        thread = new Thread(() =>
        {
            CultureInfo.CurrentCulture = CultureInfo.InvariantCulture; // numbers read the same wherever the caller is at home
            foreach (var work in wanted.GetConsumingEnumerable())
            {
                work();
            }
        })
        {
            IsBackground = true,
            Name = name,
        };
        thread.Start();
    }

    /// <summary>Does something there.</summary>
    public Task<T> Run<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        wanted.Add(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        });
        return done.Task;
    }

    /// <summary>Does something there and waits for it.</summary>
    public T Wait<T>(Func<T> work) => Run(work).GetAwaiter().GetResult();

    /// <summary>Ends the thread, once it has done all it was asked to.</summary>
    public void Dispose()
    {
        wanted.CompleteAdding();
        thread.Join();
        wanted.Dispose();
    }
}
