using Dataflow.Model;

namespace Dataflow;

/// <summary>What a run is going to write, and to where.</summary>
/// <param name="Folder">Exists, or will once something above it does.</param>
/// <param name="What">"2 checkpoints of 3.00 GiB".</param>
/// <param name="Length">Bytes that it takes.</param>
internal readonly record struct DiskNeed(string Folder, string What, Bytes Length);

/// <summary>Whether disks have room for what is going to be written to them: what is for one disk adds up.</summary>
internal static class DiskRoom
{
    /// <summary>Refuses what a disk has no room for.</summary>
    /// <exception cref="UserErrorException">One has too little.</exception>
    public static void Require(IEnumerable<DiskNeed> needs) => Require(needs, Look);

    /// <summary>With a way of one's own to look at the disk of a folder, for tests.</summary>
    internal static void Require(IEnumerable<DiskNeed> needs, Func<string, (string Disk, Bytes Free)> look)
    {
        foreach (var disk in needs.Select(n => (Need: n, On: look(n.Folder))).GroupBy(n => n.On.Disk))
        {
            var (free, all) = (disk.First().On.Free, new Bytes(disk.Sum(n => n.Need.Length.Value)));
            if (all > free)
            {
                throw new UserErrorException(
                    $"{disk.First().Need.Folder} cannot be written: its disk would be full; {free} are free there, and the run needs "
                        + $"{all}: "
                        + $"{string.Join(" and ", disk.Select(n => $"{n.Need.What} in {n.Need.Folder}"))}; free some space, or choose "
                        + $"another disk"
                );
            }
        }
    }

    private static (string Disk, Bytes Free) Look(string folder)
    {
        string path = RealPath.Of(folder);
        while (!Directory.Exists(path) && Path.GetDirectoryName(path) is { } above)
        {
            path = above;
        }

        try
        {
            var free = new Bytes(new DriveInfo(path).AvailableFreeSpace);
            return (MountOf(path) ?? Path.GetPathRoot(path)!, free);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (path, new Bytes(long.MaxValue)); // nothing is known of it: writing will tell
        }
    }

    /// <summary>The device of the file system that a path is on, as Linux numbers it; null elsewhere.</summary>
    private static string? MountOf(string path)
    {
        try
        {
            // "36 35 98:0 /mnt1 /mnt2 rw,noatime ...": the third says the device, the fifth where it is mounted, with spaces as \040.
            return File.ReadLines("/proc/self/mountinfo").Select(l => l.Split(' ')).Where(f => f.Length > 5)
                .Select(f => (Device: f[2], At: f[4].Replace("\\040", " ", StringComparison.Ordinal)))
                .Where(m => m.At == "/" || path == m.At || path.StartsWith(m.At + "/", StringComparison.Ordinal))
                .OrderBy(m => m.At.Length).LastOrDefault().Device;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
