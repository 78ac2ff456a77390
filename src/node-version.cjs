/**
 * Looks at the version of Node, in the syntax of the oldest one, so that every Node can say that it is too old.
 * package.json has the versions that the helper is tested with, in `engines`; a newer one, or one in between, may serve,
 * an older one than the first of them does not.
 */
'use strict';

var tested = require('../package.json').engines.node;
var least = /\d+\.\d+/.exec(tested)[0];
var majors = tested.match(/\d+(?=\.\d+\.)/g).join(', ');

function isOlder(version, than) {
  var ours = version.split('.').map(Number);
  var theirs = than.split('.').map(Number);
  return ours[0] === theirs[0] ? ours[1] < theirs[1] : ours[0] < theirs[0];
}

function complaintOf(version) {
  if (!isOlder(version, least)) return undefined;
  return 'Node ' + version + ' is too old: ' + least + ' or newer is needed (tested with ' + majors + ')';
}

/** Why this Node cannot run the helper, in one line; undefined when it can. */
exports.complaint = complaintOf(process.versions.node);

if (require.main === module && exports.complaint !== undefined) {
  process.stderr.write(exports.complaint + '\n');
  process.exit(2);
}
