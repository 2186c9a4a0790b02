namespace Dataflow;

/// <summary>
/// The right to fetch a blob: the system's lock on a file, the same that the hub's own library takes, gone with the process that had it
/// however that ended. Where a file system has no locks two may fetch the same; each then has a file of its own, and the last rename wins.
/// </summary>
internal static class HubLock
{
    private const UnixFileMode Shared = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite
        | UnixFileMode.OtherRead;
    private const int Again = 11;
    private const int AgainOnMac = 35;
    private const int SharingViolation = unchecked((int)0x80070020);
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(200);

    /// <summary>Waits until it has it. The file stays when the lock goes: to remove it would take it from under the next.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="clock">Measures waits.</param>
    /// <param name="held">Called once if another has it.</param>
    /// <param name="stop">Ends the wait.</param>
    public static async Task<IDisposable> Take(string path, TimeProvider clock, Action held, CancellationToken stop)
    {
        for (bool told = false; ;)
        {
            try
            {
                return new FileStream(path, Options());
            }
            catch (IOException e) when (e.HResult is Again or AgainOnMac or SharingViolation)
            {
                // Another has it.
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw HubCache.Unwritable(path, e);
            }

            if (!told)
            {
                told = true;
                held();
            }

            await Task.Delay(s_between, clock, stop).ConfigureAwait(false);
        }
    }

    private static FileStreamOptions Options()
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = Shared;
        }

        return options;
    }
}
