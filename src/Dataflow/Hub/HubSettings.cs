using System.Text;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Where the hub is, who asks, and where what comes from it is kept.</summary>
public sealed record HubSettings
{
    /// <summary>The hub that is asked where no other is named.</summary>
    public const string DefaultEndpoint = "https://huggingface.co";

    private static readonly Bytes s_longestToken = new(1 << 16);
    private const int LongestWait = 3600;
    private readonly string endpoint = DefaultEndpoint;
    private readonly string? token;

    /// <summary>The folder of the cache, which other programs share.</summary>
    public required string Cache { get; init; }

    /// <summary>The hub, or a mirror that takes its place in every URL.</summary>
    /// <exception cref="UserErrorException">It is no http address.</exception>
    public string Endpoint
    {
        get => endpoint;
        init => endpoint = IsEndpoint(value) ? new Uri(value).AbsoluteUri.TrimEnd('/')
            : throw new UserErrorException("HF_ENDPOINT is no address of a hub; write it as https://HOST, without a user, '?' or '#'");
    }

    /// <summary>Says who asks; sent to the endpoint alone. Null where nobody does.</summary>
    /// <exception cref="UserErrorException">It has characters that cannot be sent.</exception>
    public string? Token
    {
        get => token;
        init => token = value is null || value.All(c => c is > ' ' and < (char)127) ? value
            : throw new UserErrorException(
                "the hub's token (HF_TOKEN, or the file HF_TOKEN_PATH) has characters that no token has; copy it again");
    }

    /// <summary>Make no request at all.</summary>
    public bool Offline { get; init; }

    /// <summary>Make links to the blobs where the system can; else the files themselves lie in snapshots.</summary>
    public bool Links { get; init; } = true;

    /// <summary>A request to which nothing comes for so long is made again.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How many files are fetched at once.</summary>
    public int Streams { get; init; } = 8;

    /// <summary>Measures waits.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>What the environment says.</summary>
    /// <exception cref="UserErrorException">A variable cannot be used.</exception>
    public static HubSettings FromEnvironment() =>
        Read(Environment.GetEnvironmentVariable, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile));

    /// <summary>What variables say: the names and the order are those of other programs of the hub.</summary>
    /// <param name="variable">The value of a variable; null where it is not set.</param>
    /// <param name="user">The user's own folder.</param>
    /// <exception cref="UserErrorException">A variable cannot be used.</exception>
    public static HubSettings Read(Func<string, string?> variable, string user)
    {
        string? Given(params string[] names) => names.Select(variable).FirstOrDefault(v => !string.IsNullOrWhiteSpace(v))?.Trim();
        bool IsOn(string name) => Given(name)?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE";
        string Folder(string path) => Path.GetFullPath(Expanded(path, variable, user));

        string home = Folder(Given("HF_HOME")
            ?? Path.Combine(Given("XDG_CACHE_HOME") ?? Path.Combine(user, ".cache"), "huggingface"));
        return new HubSettings
        {
            Cache = Folder(Given("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? Path.Combine(home, "hub")),
            Endpoint = Given("HF_ENDPOINT") ?? DefaultEndpoint,
            Token = IsOn("HF_HUB_DISABLE_IMPLICIT_TOKEN") ? null
                : Given("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") ?? TokenIn(Folder(Given("HF_TOKEN_PATH") ?? Path.Combine(home, "token"))),
            Offline = IsOn("HF_HUB_OFFLINE") || IsOn("TRANSFORMERS_OFFLINE"),
            Links = !IsOn("HF_HUB_DISABLE_SYMLINKS"),
            Silence = TimeSpan.FromSeconds(
                int.TryParse(Given("HF_HUB_DOWNLOAD_TIMEOUT"), out int seconds) ? Math.Clamp(seconds, 1, LongestWait) : 10),
        };
    }

    /// <summary>Without the token: what is printed is copied.</summary>
    private bool PrintMembers(StringBuilder text)
    {
        text.Append($"{nameof(Cache)} = {Cache}, {nameof(Endpoint)} = {Endpoint}, {nameof(Token)} = {(Token is null ? "none" : "given")}");
        return true;
    }

    private static string? TokenIn(string file) =>
        File.Exists(file) && InputFile.ReadText(file, s_longestToken).Trim() is { Length: > 0 } token ? token : null;

    private static bool IsEndpoint(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri)
        && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps)
        && uri.UserInfo.Length == 0 && uri.Query.Length == 0 && uri.Fragment.Length == 0;

    /// <summary>"~" at the beginning, and $NAME or ${NAME} anywhere, where that variable is set.</summary>
    private static string Expanded(string path, Func<string, string?> variable, string user)
    {
        var text = new StringBuilder(path == "~" || path.StartsWith("~/", StringComparison.Ordinal) ? user + path[1..] : path);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '$')
            {
                continue;
            }

            bool braces = i + 1 < text.Length && text[i + 1] == '{';
            int first = i + (braces ? 2 : 1), end = first;
            while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_'))
            {
                end++;
            }

            int after = braces ? end + 1 : end;
            bool closed = !braces || (end < text.Length && text[end] == '}');
            if (end > first && closed && variable(text.ToString(first, end - first)) is { } value)
            {
                text.Remove(i, after - i).Insert(i, value);
                i += value.Length - 1;
            }
        }

        return text.ToString();
    }
}
